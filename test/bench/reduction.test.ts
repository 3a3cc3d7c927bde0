import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { Lots } from '../../bench/kit/lots.js';
import type { ChangeSet, Preparation } from '../../bench/reduction/change-set.js';
import { filesIn } from '../../bench/reduction/directories.js';
import { LogLines } from '../../bench/reduction/log-lines.js';
import { type Measured, together } from '../../bench/reduction/measure.js';
import { postgres } from '../../bench/reduction/postgres.js';
import { digestOf } from '../../bench/reduction/record-digest.js';
import { type FiledRecord, RecordWriter, readRecords } from '../../bench/reduction/record-file.js';
import { rowsOf } from '../../bench/reduction/rows.js';
import { sqlite } from '../../bench/reduction/sqlite.js';
import { markdownTables } from '../../bench/reduction/table.js';
import { growingLog } from '../../bench/reduction/trees.js';

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'longhaul-reduction-'));
  folders.push(dir);
  return dir;
}

function preparation(): Preparation & { said: string[] } {
  const said: string[] = [];
  const scratch = async (name: string) => {
    const dir = join(folder(), name);
    mkdirSync(dir);
    return dir;
  };
  const prepared: Preparation['prepared'] = async (name, make) => {
    const dir = await scratch(name);
    await make(dir);
    return dir;
  };
  return { tiny: true, said, say: (line) => said.push(line), scratch, prepared };
}

async function recordsIn(file: string): Promise<FiledRecord[]> {
  const records: FiledRecord[] = [];
  for await (const record of readRecords(file)) records.push(record);
  return records;
}

test('records come out of a file as they went in', async () => {
  const file = join(folder(), 'records');
  const payloads = [0, 1, 4096, 5 * 1024 * 1024, 3].map((bytes, i) => Buffer.alloc(bytes, i));
  const records = payloads.map((payload, i) => ({ key: `dir/ä${i}`, offset: i * 2 ** 33, payload }));
  const writer = new RecordWriter(file);
  for (const record of records) writer.add(record);
  writer.close();
  expect(writer.payloadBytes).toBe(payloads.reduce((sum, { length }) => sum + length, 0));
  const read = await recordsIn(file);
  expect(read.map(({ key, offset }) => ({ key, offset }))).toEqual(records.map(({ key, offset }) => ({ key, offset })));
  for (const [i, { payload }] of read.entries()) expect(payload.equals(payloads[i] as Buffer)).toBe(true);
  expect(await digestOf([file])).not.toBe(await digestOf([file, file]));
});

test('a file that ends within a record is refused', async () => {
  const file = join(folder(), 'records');
  const writer = new RecordWriter(file);
  writer.add({ key: 'a', offset: 0, payload: Buffer.alloc(100) });
  writer.close();
  truncateSync(file, 80);
  await expect(recordsIn(file)).rejects.toThrow('ends within a record');
});

/** The files that records of content and then of writes make. */
async function replayed(set: ChangeSet): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const { records } of set.steps) {
    for (const { key, offset, payload } of await recordsIn((await records?.('')) ?? '')) {
      const [now = Buffer.alloc(0), end] = [files.get(key), offset + payload.length];
      const grown = end > now.length ? Buffer.concat([now, Buffer.alloc(end - now.length)]) : now;
      payload.copy(grown, offset);
      files.set(key, grown);
    }
  }
  return files;
}

test.each([
  ['SQLite', sqlite],
  ['PostgreSQL', postgres],
])(
  'captured page writes of %s turn the content before into the content after',
  { timeout: 90_000 },
  async (_, make) => {
    const o = preparation();
    const set = await make(o);
    if (set === undefined) {
      expect(o.said.join('\n')).toContain('left out');
      return;
    }
    const dir = folder();
    await set.steps.at(-1)?.make(dir);
    const files = await replayed(set);
    for (const path of await filesIn(dir)) {
      // An empty file has no record.
      const made = files.get(path) ?? Buffer.alloc(0);
      expect(made.equals(readFileSync(join(dir, path))), path).toBe(true);
    }
  },
);

test('the SQLite capture is the same each time', async () => {
  const sets = [await sqlite(preparation()), await sqlite(preparation())];
  const [first, second] = await Promise.all(
    sets.map(async (set) =>
      Promise.all((set?.steps ?? []).map(async (step) => digestOf([(await step.records?.('')) ?? '']))),
    ),
  );
  expect(second).toEqual(first);
});

test('a log is the same for the same seed, and no line comes twice', () => {
  const [log, again, other] = [7, 7, 8].map((seed) => new LogLines(seed).next(200_000));
  expect(again).toBe(log);
  expect(other).not.toBe(log);
  const lines = (log ?? '').split('\n').filter((line) => !line.startsWith('    at '));
  expect(new Set(lines).size).toBe(lines.length);
});

test('a growing log keeps what it had and gets a tenth more each time', async () => {
  const dir = folder();
  const sizes: number[] = [];
  let before = Buffer.alloc(0);
  for (const { times = 1, make } of growingLog(preparation()).steps) {
    for (let round = 0; round < times; round++) {
      await make(dir);
      const now = readFileSync(join(dir, 'service.log'));
      expect(now.subarray(0, before.length).equals(before)).toBe(true);
      sizes.push(now.length - before.length);
      before = now;
    }
  }
  const [first = 0, ...others] = sizes;
  expect(others.length).toBeGreaterThan(1);
  for (const more of others) expect(more / first).toBeCloseTo(0.1, 2);
});

test('lots are the same for the same seed and within their bounds', () => {
  const [one, other] = [new Lots(1), new Lots(1)];
  for (let i = 0; i < 1000; i++) {
    const drawn = [one.below(10), one.between(5, 6), one.recent(40)] as const;
    expect([other.below(10), other.between(5, 6), other.recent(40)]).toEqual(drawn);
    expect(drawn[0]).toBeGreaterThanOrEqual(0);
    expect(drawn[0]).toBeLessThan(10);
    expect([5, 6]).toContain(drawn[1]);
    expect(drawn[2]).toBeLessThan(40);
  }
});

const measured: Measured = {
  set: 'package',
  step: 'upgraded',
  directoryBytes: 20e6,
  sourceBytes: 10e6,
  mine: {
    seconds: 2,
    wireBytes: 500_000,
    usage: { cpuSeconds: 0.5, peakBytes: 150e6 },
    stages: {
      compress: { bytesIn: 10e6, bytesOut: 480_000, milliseconds: 90 },
      control: { bytesIn: 0, bytesOut: 400, milliseconds: 0 },
    },
  },
  rivals: [
    { name: 'rsync', limit: false, wireBytes: 1_000_000, seconds: 1 },
    { name: 'zstd', limit: true, wireBytes: 250_000 },
  ],
};

test('rounds of a step add up, but for the directory and the peak', () => {
  const later = {
    ...measured,
    directoryBytes: 22e6,
    mine: { ...measured.mine, usage: { cpuSeconds: 1, peakBytes: 140e6 } },
  };
  const sum = together([measured, later, later]);
  expect(sum).toMatchObject({ directoryBytes: 22e6, sourceBytes: 30e6 });
  expect(sum.mine).toMatchObject({ seconds: 6, wireBytes: 1_500_000, usage: { cpuSeconds: 2.5, peakBytes: 150e6 } });
  expect(sum.mine.stages?.compress).toEqual({ bytesIn: 30e6, bytesOut: 1_440_000, milliseconds: 270 });
  expect(sum.rivals[0]).toEqual({ name: 'rsync', limit: false, wireBytes: 3_000_000, seconds: 3 });
});

test('a result becomes rows, each rival beside what we sent', () => {
  const rows = rowsOf(measured).map(({ metric, value, rival, ratio }) => [metric, value, rival, ratio]);
  expect(rows).toContainEqual(['on the wire', 0.5, 'rsync', 2]);
  expect(rows).toContainEqual(['on the wire', 0.5, 'zstd', 0.5]);
  expect(rows.filter(([metric]) => metric === 'time')).toEqual([['time', 2, 'rsync', 0.5]]);
  expect(rows).toContainEqual(['of the source', 5, undefined, undefined]);
  expect(rows).toContainEqual(['throughput per core', 20, undefined, undefined]);
  expect(rows).toContainEqual(['out of control', 0.0004, undefined, undefined]);
  expect(rows.map(([metric]) => metric)).not.toContain('into control');
});

test('a result becomes lines of the tables, and a rival of one change alone gets a table of its own', () => {
  const rsync = { name: 'rsync', limit: false, wireBytes: 4e6 };
  const alone = { ...measured, step: 'first copy', mine: { seconds: 1, wireBytes: 3e6 }, rivals: [rsync] };
  const lines = markdownTables([measured, alone]).split('\n');
  expect(lines).toContain('| package, upgraded | 10 | **0.500** | 5 | 1 | 20 | 150 |');
  expect(lines).toContain('| package, first copy | 10 | **3** | 30 | 4 | – | – |');
  expect(lines).toContain('| package, upgraded | zstd | 0.250 | 0.500 |');
  expect(lines).toContain('| package, upgraded | 10 → 0.480 | 0.000400 |');
  expect(lines).toContain('| package, first copy | – | – |');
});
