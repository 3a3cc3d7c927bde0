import { randomFillSync } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { byteLengthOf } from '../../src/engine/bytes.js';
import { ownCapability } from '../../src/engine/capability.js';
import { Journal } from '../../src/journal/journal.js';
import { type CodecPlan, codecPlan } from '../../src/reduce/compression.js';
import { Encoder, type Prepared } from '../../src/reduce/encoder.js';
import { History } from '../../src/reduce/history.js';
import { Outliner } from '../../src/reduce/outline.js';
import { Primer } from '../../src/reduce/primer.js';
import { Stages } from '../../src/reduce/stages.js';
import type { Bench, BenchRow } from '../bench.js';
import { BUILT } from '../kit/built.js';
import { Clock } from '../kit/clock.js';
import { median } from '../kit/timing.js';
import { Workspace } from '../kit/workspace.js';
import { filesIn } from './directories.js';
import { type Restored, writeBodies } from './restore.js';
import { packages } from './trees.js';

/**
 * How fast records become frame bodies, and records again: without queue, sockets and log, from one journal. Each half has a
 * process that holds nothing besides, as an agent has: memory outside of the heap has V8 collect garbage more often.
 */

const RESTORE = join(BUILT, 'bench', 'reduction', 'restore-main.js');
const PART_BYTES = 1024 * 1024;
const RANDOM_BYTES = 64 * 1024 * 1024;
/** All of it so many times, the medians of which count: in the first round much is compiled yet. */
const ROUNDS = 3;
const MB = 1e6;
const OUTLINER = new Outliner(Buffer.alloc(32, 7));

interface Keyed {
  key: string;
  offset: number;
  payload: Buffer;
}

export const reductionCodec: Bench = {
  name: 'reduction-codec',
  describe: 'encoding and restoring alone: source bytes a second of elapsed and of processor time',
  async run({ tiny, say, dir }) {
    const [before, after] = tiny ? [] : [packages(1), packages(2)];
    if (!tiny && after === undefined) say('releases of packages cannot be fetched: a smaller tree stands in for them');
    const installed = dirname(createRequire(import.meta.url).resolve('@types/node/package.json'));
    const own = [{ name: 'node', dir: installed }];
    const old = () => recordsOf(before ?? own);
    const changed = () => (after === undefined || before === undefined ? edited(old()) : recordsOf(after));
    const work = await Workspace.open('bench', dir);
    try {
      const noise = () => randomRecords(tiny ? PART_BYTES : RANDOM_BYTES);
      const contents = [
        ['first copy', old],
        ['changed tree', changed],
        ['data already known', changed],
        ['in records of 1 MiB', () => joined(changed())],
        ['known, in records of 1 MiB', () => joined(changed())],
        ['random data', noise],
      ] as const;
      const rounds: BenchRow[][] = [];
      for (let round = 0; round < (tiny ? 1 : ROUNDS); round++) {
        const journal = await Journal.open({ dir: work.at(`journal ${round}`), historyBytes: 8 * 1024 ** 3 });
        const history = new History();
        const files = contents.map(([name]) => work.at(`${round} ${name}`));
        const encoded: Encoded[] = [];
        for (const [index, [, records]] of contents.entries())
          encoded.push(await encode(journal, history, records(), files[index] ?? ''));
        await journal.close();
        const args = [RESTORE, journal.dir, String(tiny ? 1 : ROUNDS), ...files];
        const program = work.run('restoring', process.execPath, args);
        await program.succeeded();
        const restored = JSON.parse(program.output) as Restored[];
        rounds.push(
          contents.flatMap(([name], index) => rowsOf(name, encoded[index] as Encoded, restored[index] as Restored)),
        );
        for (const path of [journal.dir, ...files]) await rm(path, { recursive: true });
      }
      return medians(rounds);
    } finally {
      await work.close();
    }
  },
};

/** Row by row. */
function medians(rounds: readonly BenchRow[][]): BenchRow[] {
  const [first = []] = rounds;
  return first.map((row, index) => ({ ...row, value: median(rounds.map((rows) => rows[index]?.value ?? row.value)) }));
}

interface Encoded {
  bytes: number;
  clock: Clock;
  wire: number;
  chunkBytes: number;
}

async function encode(
  journal: Journal,
  history: History,
  records: AsyncIterable<Keyed> | Iterable<Keyed>,
  file: string,
): Promise<Encoded> {
  const held = journal.last;
  let bytes = 0;
  for await (const { key, offset, payload } of records) {
    await journal.assign(payload, { key, offset });
    bytes += payload.byteLength;
  }
  await journal.flush();
  const plan = codecPlan({ codec: 'auto', level: 3 }, ownCapability());
  const encoder = new Encoder({
    plan,
    stages: new Stages(),
    ...startsOf(plan, journal, history, held),
    known: { journal, history, outliner: OUTLINER },
    floor: () => 1,
  });
  const bodies: Buffer[] = [];
  const clock = new Clock();
  let ready: Prepared | undefined;
  for await (const batch of journal.readBatches(held + 1)) {
    // As a session does: the next batch is prepared while one is compressed.
    await clock.time(async () => {
      const [next, body] = await Promise.all([encoder.prepare(batch), ready && encoder.finish(ready)]);
      if (body !== undefined) bodies.push(Buffer.concat(body));
      ready = next;
    });
    if (batch.at(-1)?.sequence === journal.last) break;
  }
  await clock.time(async () => {
    if (ready !== undefined) bodies.push(Buffer.concat(await encoder.finish(ready)));
  });
  encoder.close();
  const wire = byteLengthOf(bodies);
  await writeBodies(file, bodies);
  return { bytes, wire, clock, chunkBytes: history.chunkBytes };
}

function rowsOf(name: string, { bytes, wire, clock, chunkBytes }: Encoded, restored: Restored): BenchRow[] {
  if (restored.payloadBytes !== bytes) throw new Error(`${name}: ${restored.payloadBytes} of ${bytes} bytes came back`);
  return [
    { name, metric: 'source', value: bytes / MB, unit: 'MB' },
    { name, metric: 'bodies', value: wire / MB, unit: 'MB' },
    { name, metric: 'encode', value: bytes / MB / clock.seconds, unit: 'MB/s' },
    { name, metric: 'encode, per core', value: bytes / MB / clock.cpuSeconds, unit: 'MB/s' },
    { name, metric: 'restore', value: bytes / MB / restored.seconds, unit: 'MB/s' },
    { name, metric: 'restore, per core', value: bytes / MB / restored.cpuSeconds, unit: 'MB/s' },
    { name, metric: 'index a chunk', value: chunkBytes, unit: 'bytes' },
  ];
}

function startsOf(plan: CodecPlan, journal: Journal, history: History, held: number): { starts?: Primer } {
  if (plan.codec !== 'zstd') return {};
  const { windowLog, level } = plan;
  return { starts: new Primer({ journal, history, windowLog, level, held: () => held }) };
}

async function* recordsOf(directories: readonly { name: string; dir: string }[]): AsyncGenerator<Keyed> {
  for (const { name, dir } of directories) {
    for (const path of await filesIn(dir)) {
      const content = await readFile(join(dir, path));
      for (let offset = 0; offset === 0 || offset < content.byteLength; offset += PART_BYTES) {
        yield { key: join(name, path), offset, payload: content.subarray(offset, offset + PART_BYTES) };
      }
    }
  }
}

/** All of it end to end, as one object. */
async function* joined(records: AsyncIterable<Keyed>): AsyncGenerator<Keyed> {
  let parts: Buffer[] = [];
  let [offset, bytes] = [0, 0];
  const record = (payload: Buffer): Keyed => ({ key: 'all', offset, payload });
  for await (const { payload } of records) {
    parts.push(payload);
    bytes += payload.byteLength;
    if (bytes < PART_BYTES) continue;
    const whole = Buffer.concat(parts);
    yield record(whole.subarray(0, PART_BYTES));
    offset += PART_BYTES;
    bytes -= PART_BYTES;
    parts = [Buffer.from(whole.subarray(PART_BYTES))];
  }
  if (bytes > 0) yield record(Buffer.concat(parts));
}

/** A little of it changed. */
async function* edited(records: AsyncIterable<Keyed>): AsyncGenerator<Keyed> {
  let first = 0;
  for await (const { payload, ...rest } of records) {
    const changed = Buffer.from(payload);
    for (let at = first++ % 5000; at < changed.byteLength; at += 5000) changed[at] = (changed[at] ?? 0) ^ 0x15;
    yield { ...rest, payload: changed };
  }
}

function* randomRecords(bytes: number): Generator<Keyed> {
  for (let offset = 0; offset < bytes; offset += PART_BYTES) {
    yield { key: 'noise', offset, payload: randomFillSync(Buffer.alloc(PART_BYTES)) };
  }
}
