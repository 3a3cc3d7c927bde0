import { describe, expect, test } from 'vitest';
import { checksum64 } from '../../src/engine/checksum.js';
import { Journal } from '../../src/journal/journal.js';
import { appends, failEachCall, payloadOf, type Scenario } from './fault-matrix.js';
import { collect, newDirectory } from './harness.js';
import { MemoryDisk } from './memory-disk.js';
import { writeSides } from './side-content.js';

const MIB = 1024 * 1024;

const three = (journal: Journal) => journal.appendMany([1, 2, 3].map((sequence) => payloadOf(sequence)));

/** Ten records in three segments, and a cursor behind the fourth. */
async function segments(journal: Journal): Promise<void> {
  for (let index = 0; index < 10; index++) await journal.append(payloadOf(journal.last + 1));
  await journal.cursor('peer').advance(4);
}

/** The same, with a side file beside each full segment. */
async function segmentsWithSides(journal: Journal): Promise<void> {
  await segments(journal);
  await writeSides(journal);
}

function replicated(journal: Journal): Promise<number> {
  const records = [1, 2].map((by) => {
    const payload = payloadOf(journal.last + by);
    return { sequence: journal.last + by, epoch: 9, timestamp: by, payload, checksum: checksum64(payload, EMPTY) };
  });
  return journal.appendReplicated(records);
}

const EMPTY = checksum64(new Uint8Array(0));

/** The process ends a few calls after a decision has fallen, which is the file of that name. */
function decided(name: string, decide: (journal: Journal) => Promise<void>) {
  return async (journal: Journal, disk: MemoryDisk): Promise<void> => {
    await segments(journal);
    disk.onOperation = (operation) => {
      if (operation.kind === 'rename' && operation.to === name) disk.cutAfter(6);
    };
    await expect(decide(journal)).rejects.toMatchObject({ code: 'JOURNAL_BROKEN' });
  };
}

/** Everything is passed, segments are freed one after the other, and the next ones are made from them. */
async function recycle(journal: Journal): Promise<void> {
  const cursor = journal.cursor('peer');
  for (let lap = 0; lap < 3; lap++) {
    await cursor.advance(journal.last);
    await Promise.all(appends(journal, 4));
  }
}

const scenarios: Record<string, Scenario> = {
  'open of a new journal': { opens: true },
  'open after a clean close': { prepare: segments, act: (journal) => appends(journal, 1) },
  'recovery of what nothing proves durable': { prepare: three, opens: true },
  'recovery of several segments': { prepare: segments, opens: true },
  'recovery of a decided reset': {
    prepare: decided('reset', (journal) => journal.reset(500, 3n)),
    opens: true,
    lastAfter: 499,
  },
  'recovery of a decided cut': {
    prepare: decided('truncate', (journal) => journal.truncateAfter(6)),
    opens: true,
    lastAfter: 6,
  },
  append: { prepare: three, act: (journal) => appends(journal, 1) },
  'appends at once': { prepare: three, act: (journal) => appends(journal, 3) },
  appendMany: {
    prepare: three,
    act: (journal) => [journal.appendMany([4, 5].map((sequence) => payloadOf(sequence)))],
  },
  appendReplicated: { prepare: three, act: (journal) => [replicated(journal)] },
  'a new segment': { prepare: three, act: (journal) => appends(journal, 6) },
  'preallocation in steps': {
    prepare: three,
    options: { segmentBytes: 8 * MIB },
    act: (journal) => [
      (async () => {
        for (let index = 0; index < 4; index++) await Promise.all(appends(journal, 1, 600_000));
      })(),
    ],
  },
  'zeros ahead of small groups': {
    prepare: (journal) => journal.appendMany([payloadOf(1, 400_000)]),
    options: { segmentBytes: 4 * MIB },
    act: (journal) => appends(journal, 1),
    mayGoUnnoticed: /./,
  },
  'a record larger than a segment': { prepare: three, act: (journal) => appends(journal, 1, 200_000) },
  'a new cursor': {
    prepare: three,
    act: (journal) => [journal.cursor('peer', { at: 1 }).advance(2), ...appends(journal, 1)],
  },
  'a cursor that moves': {
    prepare: segments,
    act: (journal) => [journal.cursor('peer').advance(6)],
    // The chain at its position is looked up in a file.
    mayGoUnnoticed: /: (open|file\.read|file\.close)$/,
  },
  'a cursor that goes': { prepare: segments, act: (journal) => [journal.dropCursor('peer')] },
  'retention and recycling': { prepare: segments, act: (journal) => [recycle(journal)] },
  close: { prepare: three, act: (journal) => [...appends(journal, 1), journal.close()], closes: true },
  'a cut within a segment': { prepare: segments, act: (journal) => [journal.truncateAfter(6)], lastAfter: 6 },
  'a cut of all': { prepare: three, act: (journal) => [journal.truncateAfter(0)], lastAfter: 0 },
  'side files': { prepare: segments, act: (journal) => [writeSides(journal)], mayGoUnnoticed: /./ },
  'retention with side files': {
    prepare: segmentsWithSides,
    act: (journal) => [recycle(journal)],
    mayGoUnnoticed: /: unlink$/,
  },
  'a cut with side files': {
    prepare: segmentsWithSides,
    act: (journal) => [journal.truncateAfter(6)],
    lastAfter: 6,
    mayGoUnnoticed: /: unlink$/,
  },
  'a reset with side files': {
    prepare: segmentsWithSides,
    act: (journal) => [journal.reset(500, 3n)],
    lastAfter: 499,
    mayGoUnnoticed: /: unlink$/,
  },
  'a reset': { prepare: segments, act: (journal) => [journal.reset(500, 3n)], lastAfter: 499 },
};

describe.each([
  ['EIO', 'nothing'],
  ['EIO', 'all'],
  ['ENOSPC', 'part'],
] as const)('each call fails once with %s, having done %s:', (code, depth) => {
  test.each(Object.entries(scenarios))('%s', async (_, scenario) => {
    expect(await failEachCall(scenario, code, depth)).toBeGreaterThan(0);
  });
});

describe('a disk that gets full', () => {
  const KIB = 1024;
  const fills: [string, { segmentBytes: number; recordBytes: number; preallocate: boolean; writeZeros: boolean }][] = [
    ['while segments are made', { segmentBytes: 64 * KIB, recordBytes: 9000, preallocate: true, writeZeros: false }],
    ['while files grow', { segmentBytes: 4 * MIB, recordBytes: 200_000, preallocate: true, writeZeros: false }],
    ['while zeros are written', { segmentBytes: 4 * MIB, recordBytes: 100_000, preallocate: true, writeZeros: true }],
    ['without preallocation', { segmentBytes: 64 * KIB, recordBytes: 9000, preallocate: false, writeZeros: false }],
  ];

  test.each(fills)('%s, with every room from none to plenty', async (_, { segmentBytes, recordBytes, ...has }) => {
    const records = Math.ceil((segmentBytes * 2) / recordBytes);
    const step = Math.floor(segmentBytes / 13) + 500;
    let last = 0;
    for (let room = 0; last < records; room += step) {
      const dir = newDirectory();
      const disk = new MemoryDisk({ ...has, writeDurable: true });
      disk.bytesFree = room;
      const name = `room for ${room} bytes`;
      last = await fill(dir, disk, { segmentBytes, recordBytes, records }, name);
      // With room again, everything acknowledged is there and more goes in.
      disk.bytesFree = Number.POSITIVE_INFINITY;
      disk.restart(() => false);
      const journal = await Journal.open({ dir, segmentBytes, fs: disk.fs });
      expect(journal.last, name).toBeGreaterThanOrEqual(last);
      for (const { sequence, payload } of await collect(journal.read(1))) {
        expect(payload.equals(payloadOf(sequence, recordBytes)), name).toBe(true);
      }
      await Promise.all(appends(journal, 3));
      await journal.close();
    }
  });

  /** Appends until the disk is full; returns the last record acknowledged. */
  async function fill(
    dir: string,
    disk: MemoryDisk,
    o: { segmentBytes: number; recordBytes: number; records: number },
    name: string,
  ): Promise<number> {
    const full = { code: 'DISK_FULL', cause: { code: 'ENOSPC' } };
    let journal: Journal;
    try {
      journal = await Journal.open({ dir, segmentBytes: o.segmentBytes, fs: disk.fs });
    } catch (error) {
      expect(error, name).toMatchObject(full);
      return 0;
    }
    try {
      while (journal.last < o.records) await Promise.all(appends(journal, 1, o.recordBytes));
    } catch (error) {
      expect(error, name).toMatchObject(full);
      const later: unknown = await journal.append(payloadOf(1)).catch((reason: unknown) => reason);
      expect(later, name).toMatchObject({ code: 'JOURNAL_BROKEN', cause: full });
    }
    const { last } = journal;
    await journal.close().catch((error: unknown) => expect(error, name).toMatchObject(full));
    return last;
  }
});
