import { describe, expect, test } from 'vitest';
import { ownCapability } from '../../src/engine/capability.js';
import { Journal, ProtocolError } from '../../src/index.js';
import { Decoder, type HistorySource } from '../../src/reduce/decoder.js';
import { Encoder } from '../../src/reduce/encoder.js';
import { History } from '../../src/reduce/history.js';
import { KeyHistory, keyIdOf } from '../../src/reduce/key-history.js';
import { Outliner } from '../../src/reduce/outline.js';
import {
  decodeRanges,
  encodeRanges,
  merged,
  PrefixBuilder,
  type PrefixRange,
  RANGES_MAX,
  RECORDS_MAX,
  readPrefix,
} from '../../src/reduce/prefix.js';
import { Primer } from '../../src/reduce/primer.js';
import { Stages } from '../../src/reduce/stages.js';
import { randomFor } from '../support/seed.js';
import { atEnd, newDirectory } from '../support/temp.js';

const WINDOW_LOG = 20;
const WINDOW_BYTES = 2 ** WINDOW_LOG;
const outliner = new Outliner(Buffer.alloc(32, 1));

async function newJournal(): Promise<Journal> {
  const journal = await Journal.open({ dir: newDirectory(), segmentBytes: 64 * 1024 });
  atEnd(() => journal.close());
  return journal;
}

describe('the ranges of a prefix', () => {
  test('come back as they went, with what follows them', () => {
    const random = randomFor(331);
    for (let round = 0; round < 50; round++) {
      const ranges: PrefixRange[] = [];
      for (let end = 0; ranges.length < round * 10; ) {
        const from = end + 1 + random.below(1000);
        const to = from + random.below(1000);
        ranges.push({ from, to });
        end = to;
      }
      const rest = random.bytes(10);
      const decoded = decodeRanges(Buffer.concat([encodeRanges(ranges), rest]));
      expect(decoded.ranges).toEqual(ranges);
      expect(decoded.rest.equals(rest)).toBe(true);
    }
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    [
      'too many',
      encodeRanges(Array.from({ length: RANGES_MAX + 1 }, (_, at) => ({ from: 2 * at + 1, to: 2 * at + 1 }))),
    ],
    ['record 0', Buffer.from([1, 0, 1])],
    ['no records', Buffer.from([1, 1, 0])],
    ['fewer than it says', Buffer.from([2, 1, 1])],
    ['more records than one may have', encodeRanges([{ from: 1, to: RECORDS_MAX + 1 }])],
    ['numbers beyond counting', Buffer.from([1, 1, 255, 255, 255, 255, 255, 255, 255, 15])],
  ])('%s are refused', (_, bytes) => {
    expect(() => decodeRanges(bytes)).toThrow(ProtocolError);
  });

  test('are made one where they touch', () => {
    const ranges = [
      { from: 10, to: 12 },
      { from: 1, to: 3 },
      { from: 4, to: 4 },
      { from: 11, to: 20 },
      { from: 30, to: 30 },
      { from: 12, to: 13 },
    ];
    expect(merged(ranges)).toEqual([
      { from: 1, to: 4 },
      { from: 10, to: 20 },
      { from: 30, to: 30 },
    ]);
  });

  test('are read up to a bound, and not beyond what there is', async () => {
    const journal = await newJournal();
    await journal.appendMany([1, 2, 3, 4].map((byte) => Buffer.alloc(1000, byte)));
    const builder = new PrefixBuilder(journal, 3999);
    await builder.add([{ from: 2, to: 3 }]);
    await expect(builder.add([{ from: 1, to: 2 }])).rejects.toBeInstanceOf(ProtocolError);
    await expect(builder.add([{ from: 4, to: 5 }])).rejects.toMatchObject({ code: 'SEQUENCE_GONE' });
    await expect(builder.add([{ from: 6, to: 7 }])).rejects.toMatchObject({ code: 'SEQUENCE_GONE' });
    await builder.add([{ from: 4, to: 4 }]);
    const { ranges, content } = builder.prefix;
    expect(ranges).toEqual([
      { from: 2, to: 3 },
      { from: 4, to: 4 },
    ]);
    expect(content.equals(Buffer.concat([2, 3, 4].map((byte) => Buffer.alloc(1000, byte))))).toBe(true);
  });
});

describe('what a key held last', () => {
  const record = (sequence: number, key: string | undefined, offset: number, bytes: number) => ({
    sequence,
    offset,
    bytes,
    ...(key === undefined ? {} : { key: keyIdOf(Buffer.from(key)) }),
  });

  test('is its newest records in a row, small ones between them aside', () => {
    const keys = new KeyHistory();
    const list: [string | undefined, number, number][] = [
      ['a', 0, 1000],
      ['b', 0, 500],
      ['a', 0, 1000],
      ['a', 0, 20],
      ['a', 1000, 700],
      ['b', 0, 10],
      [undefined, 0, 90],
      ['c', 0, 127],
      ['a', 1700, 300],
    ];
    const within = (floor: number, held: number) => (run: PrefixRange) => run.from >= floor && run.to <= held;
    const find = (key: string, floor = 1, held = 100) => keys.find(keyIdOf(Buffer.from(key)), 0, within(floor, held));
    for (const [index, [key, offset, bytes]] of list.entries()) keys.note(record(index + 1, key, offset, bytes));
    expect(find('a')).toEqual({ from: 3, to: 9, bytes: 2000 });
    expect(find('b')).toEqual({ from: 2, to: 2, bytes: 500 });
    expect(find('c')).toBeUndefined();
    keys.note(record(2, 'c', 0, 900));
    expect(find('c')).toBeUndefined();
    expect(keys.through).toBe(9);
    expect(find('a', 1, 8)).toEqual({ from: 1, to: 1, bytes: 1000 });
    expect(find('a', 2, 8)).toBeUndefined();
    expect(find('a', 4)).toBeUndefined();
    // What goes on with it is no other content of the key.
    expect(keys.find(keyIdOf(Buffer.from('a')), 2000, within(1, 100))).toEqual({ from: 1, to: 1, bytes: 1000 });
    expect(keys.find(keyIdOf(Buffer.from('b')), 500, within(1, 100))).toBeUndefined();
  });
});

test('of very many keys those written last are remembered', () => {
  const keys = new KeyHistory();
  const count = 300_000;
  for (let sequence = 1; sequence <= count; sequence++)
    keys.note({ sequence, key: keyIdOf(Buffer.from(`${sequence}`)), bytes: 200 });
  const known = (sequence: number) => keys.find(keyIdOf(Buffer.from(`${sequence}`)), 0, () => true) !== undefined;
  expect([count, count - 100_000, 1, 2].map(known)).toEqual([true, true, false, false]);
});

describe.runIf(ownCapability().zstd)('frames that begin with what their keys held', () => {
  /** Both ends with one journal between them: what the sender's holds is what the receiver's held. */
  async function transfer(journal: Journal, from: number, history = new History(), floor = 1) {
    const held = from - 1;
    history.release(floor);
    for await (const record of journal.read(floor)) if (record.sequence <= held) history.note(outliner.of(record));
    const primer = new Primer({ journal, history, windowLog: WINDOW_LOG, level: 3, held: () => held });
    const encoder = new Encoder({
      plan: { codec: 'zstd', level: 3, windowLog: WINDOW_LOG },
      stages: new Stages(),
      starts: primer,
      known: { journal, history: prefixesAlone(history), outliner },
      floor: () => floor,
    });
    const capability = { lz4: true, zstd: true, windowLogMax: WINDOW_LOG };
    const source: HistorySource = {
      async payloads(ranges, bytesMax) {
        expect(Math.min(...ranges.map((range) => range.from))).toBeGreaterThanOrEqual(floor);
        expect(Math.max(...ranges.map((range) => range.to))).toBeLessThan(from);
        return readPrefix(journal, ranges, bytesMax);
      },
      parts: (ranges) => journal.readRanges(ranges),
    };
    const decoder = new Decoder(new Stages(), source, capability);
    atEnd(() => {
      encoder.close();
      decoder.close();
    });
    let wireBytes = 0;
    for await (const records of journal.readBatches(from, { batchBytesMax: 64 * 1024 })) {
      const body = Buffer.concat(await encoder.encode(records));
      wireBytes += body.byteLength;
      const restored = (await decoder.decode(body)).records.map(({ payload }) => payload);
      expect(Buffer.concat(restored).equals(Buffer.concat(records.map(({ payload }) => payload)))).toBe(true);
    }
    return wireBytes;
  }

  /** The same history, in which no content is found. */
  function prefixesAlone(history: History): History {
    return new Proxy(history, {
      get(target, name) {
        if (name === 'copies' || name === 'bases') return () => [];
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  const text = (random: ReturnType<typeof randomFor>, bytes: number): Buffer =>
    Buffer.from(random.bytes(bytes / 2).toString('hex'));

  /** The same with a few bytes changed, some gone, some new. */
  function edited(random: ReturnType<typeof randomFor>, content: Buffer): Buffer {
    const at = random.below(content.byteLength - 200);
    return Buffer.concat([content.subarray(0, at), text(random, 60), content.subarray(at + 100)]);
  }

  test('cost what has changed, however long ago it was written, in whatever order it comes', async () => {
    const random = randomFor(332);
    const journal = await newJournal();
    const files = Array.from({ length: 60 }, (_, at) => ({ key: `file ${at}`, content: text(random, 100_000) }));
    const bytes = files.length * 100_000;
    expect(bytes).toBeGreaterThan(5 * WINDOW_BYTES);
    for (const { key, content } of files) await journal.append(content, { key });
    expect(await transfer(journal, 1)).toBeGreaterThan(bytes * 0.45);
    let history = new History();
    for (const restarted of [true, false]) {
      const from = journal.last + 1;
      // A process that did not end has seen the records as it sent them.
      if (restarted) history = new History();
      for (const file of files.sort(() => random.below(3) - 1)) {
        file.content = edited(random, file.content);
        await journal.append(file.content, { key: file.key });
      }
      expect(await transfer(journal, from, history), `seed ${random.seed}`).toBeLessThan(bytes * 0.03);
    }
  });

  test('take of a content that is larger than their window what lies about the same place', async () => {
    const random = randomFor(333);
    const journal = await newJournal();
    const parts = Array.from({ length: 100 }, () => text(random, 40_000));
    const write = async () => {
      for (const [at, part] of parts.entries()) await journal.append(part, { key: 'image', offset: at * 40_000 });
    };
    await write();
    const from = journal.last + 1;
    for (const at of parts.keys()) parts[at] = edited(random, parts[at] as Buffer);
    await write();
    expect(await transfer(journal, from), `seed ${random.seed}`).toBeLessThan(4_000_000 * 0.05);
  });

  test('take of one that does not fit what they can, however its parts are cut', async () => {
    const random = randomFor(335);
    const journal = await newJournal();
    const parts = Array.from({ length: 37 }, () => text(random, 2 * random.between(3000, 40_000)));
    const write = async () => {
      let offset = 0;
      for (const part of parts) {
        await journal.append(part, { key: 'image', offset });
        offset += part.byteLength;
      }
      return offset;
    };
    const bytes = await write();
    expect(bytes).toBeGreaterThan(WINDOW_BYTES);
    const from = journal.last + 1;
    await write();
    expect(await transfer(journal, from), `seed ${random.seed}`).toBeLessThan(bytes * 0.5);
  });

  test('are not begun anew for what they can refer to already', async () => {
    const random = randomFor(336);
    const journal = await newJournal();
    const documents = Array.from({ length: 40 }, () => text(random, 8000));
    const write = async (at: number) => {
      await journal.append(documents[at] as Buffer, { key: `document ${at}` });
    };
    for (const at of documents.keys()) await write(at);
    const from = journal.last + 1;
    for (let round = 0; round < 400; round++) {
      const at = random.below(documents.length);
      documents[at] = edited(random, documents[at] as Buffer);
      await write(at);
    }
    expect(await transfer(journal, from), `seed ${random.seed}`).toBeLessThan(400 * 300);
  });

  test('learn also from what went by without them', async () => {
    const random = randomFor(337);
    const journal = await newJournal();
    const noise = random.bytes(200_000);
    await journal.append(noise, { key: 'noise' });
    await journal.append(text(random, 50_000), { key: 'text' });
    const history = new History();
    await transfer(journal, 1, history);
    const from = journal.last + 1;
    await journal.append(edited(random, noise), { key: 'noise' });
    expect(await transfer(journal, from, history)).toBeLessThan(5000);
  });

  test('refer to nothing that the peer has freed', async () => {
    const random = randomFor(334);
    const journal = await newJournal();
    const contents = Array.from({ length: 10 }, () => text(random, 50_000));
    for (const [at, content] of contents.entries()) await journal.append(content, { key: `file ${at}` });
    for (const [at, content] of contents.entries()) await journal.append(content, { key: `file ${at}` });
    const costs = [];
    for (const floor of [1, 6, 11]) costs.push(await transfer(journal, 11, new History(), floor));
    const [all = 0, half = 0, none = 0] = costs;
    expect(all).toBeLessThan(20_000);
    expect(half).toBeGreaterThan(100_000);
    expect(half).toBeLessThan(170_000);
    expect(none).toBeGreaterThan(230_000);
  });
});
