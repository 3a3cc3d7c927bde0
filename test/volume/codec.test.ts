import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProtocolError, UnsafePathError } from '../../src/index.js';
import { EntryReader, EntryWriter } from '../../src/volume/entry-codec.js';
import { decodeOperation, encodeOperation, entryAfter, type OperationRecord } from '../../src/volume/operation.js';
import { comparePaths } from '../../src/volume/path.js';
import { decodeReport, encodeReport } from '../../src/volume/questions.js';
import { SEED } from '../support/seed.js';
import { digest, entry, operation, path } from './arbitraries.js';

const runs = (numRuns: number): fc.Parameters<unknown> => ({ seed: SEED, numRuns });

/** What a peer sends may be refused, in the words of the protocol, and nothing else may come of it. */
function onlyRefused(decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    if (!(error instanceof ProtocolError) && !(error instanceof UnsafePathError)) throw error;
  }
}

describe('an operation', () => {
  test('comes out of its record as it went in', () => {
    fc.assert(
      fc.property(operation, (given) => {
        expect(decodeOperation(encodeOperation(given))).toEqual(given);
      }),
      runs(2000),
    );
  });

  test('is refused in good order, whatever its record holds', () => {
    const record = fc.record({
      kind: fc.oneof(fc.integer({ min: 120, max: 145 }), fc.integer({ min: 0, max: 255 })),
      key: fc.oneof(
        path.map((text) => Buffer.from(text, 'latin1')),
        fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      ),
      payload: fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes)),
    });
    fc.assert(
      fc.property(record, (given) => onlyRefused(() => entryAfter(decodeOperation(given)))),
      runs(20_000),
    );
  });

  test('is refused in good order when a record was damaged', () => {
    const damage = fc.record({
      at: fc.nat(),
      value: fc.integer({ min: 0, max: 255 }),
      cut: fc.nat(),
      whole: fc.boolean(),
    });
    fc.assert(
      fc.property(operation, damage, (given, { at, value, cut, whole }) => {
        const record: OperationRecord = encodeOperation(given);
        const payload = Buffer.from(record.payload);
        if (payload.byteLength > 0) payload[at % payload.byteLength] = value;
        const kept = whole ? payload : payload.subarray(0, cut % (payload.byteLength + 1));
        onlyRefused(() => decodeOperation({ ...record, payload: kept }));
      }),
      runs(10_000),
    );
  });

  test('may not be at a path that leads out', () => {
    for (const bad of ['..', '../x', 'a/..', 'a/../b', '/', '/a', 'a//b', 'a/', '.', 'a/./b', 'a\0', 'n'.repeat(256)]) {
      const { payload } = encodeOperation({ type: 'remove', path: 'x', kind: 'file' });
      expect(() => decodeOperation({ kind: 135, key: Buffer.from(bad), payload }), bad).toThrow(UnsafePathError);
    }
  });

  test('names the longest path there is, and none beyond', () => {
    const longest = `${`${'p'.repeat(254)}/`.repeat(16)}${'q'.repeat(15)}`;
    expect(longest.length).toBe(4095);
    const { payload } = encodeOperation({ type: 'remove', path: 'x', kind: 'file' });
    expect(decodeOperation({ kind: 135, key: Buffer.from(longest), payload })).toMatchObject({ path: longest });
    expect(() => decodeOperation({ kind: 135, key: Buffer.from(`${longest}q`), payload })).toThrow(UnsafePathError);
  });
});

describe('entries', () => {
  const items = fc.array(fc.record({ entry, isRemoved: fc.boolean() }), { maxLength: 60 }).map((list) => {
    const byPath = new Map(list.map((item) => [item.entry.path, item]));
    return [...byPath.values()].sort((a, b) => comparePaths(a.entry.path, b.entry.path));
  });

  test('come out as they went in, in pieces cut anywhere between two of them', () => {
    fc.assert(
      fc.property(items, fc.infiniteStream(fc.boolean()), (list, cuts) => {
        const [writer, reader] = [new EntryWriter(), new EntryReader()];
        const read: unknown[] = [];
        for (const { entry, isRemoved } of list) {
          writer.add(entry.path, isRemoved ? undefined : entry);
          if (cuts.next().value) read.push(...reader.read(writer.take()));
        }
        read.push(...reader.read(writer.take()));
        expect(read).toEqual(
          list.map(({ entry, isRemoved }) => ({ path: entry.path, entry: isRemoved ? undefined : entry })),
        );
      }),
      runs(500),
    );
  });

  test('are refused in good order, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 3 }), (pieces) => {
        const reader = new EntryReader();
        onlyRefused(() => {
          for (const piece of pieces) reader.read(Buffer.from(piece));
        });
      }),
      runs(10_000),
    );
  });

  test('are refused in good order when they were damaged', () => {
    fc.assert(
      fc.property(items, fc.nat(), fc.integer({ min: 0, max: 255 }), (list, at, value) => {
        const writer = new EntryWriter();
        for (const { entry, isRemoved } of list) writer.add(entry.path, isRemoved ? undefined : entry);
        const bytes = writer.take();
        if (bytes.byteLength > 0) bytes[at % bytes.byteLength] = value;
        onlyRefused(() => new EntryReader().read(bytes));
      }),
      runs(3000),
    );
  });
});

describe('the report of a replica', () => {
  const nat = fc.maxSafeNat();
  test('comes out as it went in', () => {
    const report = fc.record({ digest, entries: nat, files: nat, bytes: nat, drifted: nat });
    fc.assert(
      fc.property(report, (given) => {
        expect(decodeReport(encodeReport({ ...given, examples: ['a', 'b/c'] }))).toEqual({
          ...given,
          examples: ['a', 'b/c'],
        });
      }),
      runs(200),
    );
  });

  test('is refused in good order, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => onlyRefused(() => decodeReport(Buffer.from(bytes)))),
      runs(5000),
    );
  });
});

test('the order of paths is that of a walk: a directory, what is in it, its next sibling', () => {
  const walked = ['', 'a', 'a/b', 'a/b/c', 'a/c', 'a b', 'a!', 'a.b', 'a0', 'b', '\xff', '\xff/a'];
  const byName = (text: string): number[] => [...Buffer.from(text, 'latin1')];
  const shuffled = [...walked].sort(() => (byName(walked.join()).length % 2 === 0 ? 1 : -1)).sort(comparePaths);
  expect(shuffled).toEqual(['', 'a', 'a/b', 'a/b/c', 'a/c', 'a b', 'a!', 'a.b', 'a0', 'b', '\xff', '\xff/a']);
  fc.assert(
    fc.property(path, path, path, (a, b, c) => {
      expect(Math.sign(comparePaths(a, b))).toBe(-Math.sign(comparePaths(b, a)) + 0);
      expect(comparePaths(a, `${a}/x`)).toBeLessThan(0);
      if (comparePaths(a, b) <= 0 && comparePaths(b, c) <= 0) expect(comparePaths(a, c)).toBeLessThanOrEqual(0);
    }),
    runs(2000),
  );
});
