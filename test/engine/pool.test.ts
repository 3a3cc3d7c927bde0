import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { ChunkPool } from '../../src/engine/chunk-pool.js';
import { type ChunkPoolOptions, checkedPoolOptions, threadsByDefault } from '../../src/engine/chunk-pool-options.js';
import { ownWorkerPath } from '../../src/engine/chunk-threads.js';
import { chunkWork } from '../../src/engine/chunk-work.js';
import { Chunker } from '../../src/engine/chunker.js';
import { portable } from '../../src/engine/portable.js';
import { AbortedError, ClosedError, InvalidArgumentError, WorkerFailedError } from '../../src/errors.js';
import { KIB, MIB } from '../../src/options.js';
import { randomFor } from '../support/seed.js';
import { newDirectory } from '../support/temp.js';
import { KEY, mixedBytes } from './content.js';
import { nativeBuilt } from './engines.js';
import { EXIT_CODE, TELL } from './pool-orders.js';

/** Threads run compiled code. `npm test` builds first. */
const compiled = (name: string): string => fileURLToPath(new URL(`../../dist/test/engine/${name}.js`, import.meta.url));
const obedient = compiled('pool-worker');
for (const path of [ownWorkerPath(), obedient, compiled('pool-leaving')]) {
  if (!existsSync(path)) throw new Error(`there is no ${path}: run \`npm run build\` first`);
}

const small = { key: KEY, averageBytes: 2 * KIB, batchBytes: 64 * KIB, threads: 2 } satisfies ChunkPoolOptions;
const engines = ['portable', ...(nativeBuilt ? ['native'] : [])] as ('portable' | 'native')[];

const opened: ChunkPool[] = [];
async function open(o: Partial<ChunkPoolOptions> = {}, workerPath?: string): Promise<ChunkPool> {
  const pool = await ChunkPool.open({ ...small, ...o }, workerPath);
  opened.push(pool);
  return pool;
}
afterEach(async () => {
  for (const pool of opened.splice(0)) await pool.close();
});

/** What the Chunker makes of the same bytes. */
function byChunker(bytes: Uint8Array, digestBytes: 8 | 16) {
  const cuts = new Uint32Array(bytes.byteLength + 1);
  const digests = digestBytes === 8 ? new BigUint64Array(cuts.length) : new Uint8Array(16 * cuts.length);
  const count = new Chunker(small).digest(bytes, cuts, digests);
  return { cuts: cuts.slice(0, count), digests: digests.slice(0, digestBytes === 8 ? count : 16 * count) };
}

describe.each(engines)('the chunk pool, %s', (engine) => {
  test.each([0, 1, 2])('with %d threads chunks and digests are those of the Chunker', async (threads) => {
    const random = randomFor(40 + threads);
    for (const digestBytes of [8, 16] as const) {
      const pool = await open({ engine, threads, digestBytes, batchesMax: 3 });
      expect(pool.status()).toEqual({ threads, taken: 0, running: 0, waiting: 0 });
      const lengths = [
        0,
        1,
        511,
        512,
        513,
        64 * KIB - 1,
        64 * KIB,
        ...Array.from({ length: 9 }, () => random.below(65_536)),
      ];
      await Promise.all(
        lengths.map(async (length) => {
          const batch = await pool.take();
          const bytes = mixedBytes(random, length);
          batch.bytes.set(bytes);
          expect(await pool.run(batch, length)).toEqual(byChunker(bytes, digestBytes));
          expect(Buffer.compare(batch.bytes.subarray(0, length), bytes)).toBe(0);
          batch.release();
        }),
      );
      expect(pool.status()).toEqual({ threads, taken: 0, running: 0, waiting: 0 });
    }
  });
});

test('as many chunks as a batch can hold', async () => {
  const pool = await open({ averageBytes: 256, minBytes: 64, maxBytes: 256 });
  const batch = await pool.take();
  const { cuts } = await pool.run(batch);
  expect(cuts.at(-1)).toBe(64 * KIB);
  const noise = randomFor(44).bytes(64 * KIB);
  batch.bytes.set(noise);
  const shortest = { minBytes: 64, averageBytes: 256, maxBytes: 256, key: KEY };
  const expected = new Uint32Array(2000);
  const count = new Chunker(shortest).digest(noise, expected, new BigUint64Array(2000));
  expect((await pool.run(batch)).cuts).toEqual(expected.slice(0, count));
});

test('who is faster than the threads waits for a batch, and gets it in order', async () => {
  const pool = await open({ batchesMax: 2 });
  const [first, second] = [await pool.take(), await pool.take()];
  const order: string[] = [];
  const takeAs = async (name: string) => {
    const batch = await pool.take();
    order.push(name);
    return batch;
  };
  const [third, fourth] = [takeAs('third'), takeAs('fourth')];
  await Promise.all([pool.run(first), pool.run(second)]);
  expect(order).toEqual([]);
  expect(pool.status()).toMatchObject({ taken: 2, waiting: 2 });
  second.release();
  second.release();
  expect((await third).bytes.buffer).toBe(second.bytes.buffer);
  first.release();
  expect((await fourth).bytes.buffer).toBe(first.bytes.buffer);
  expect(order).toEqual(['third', 'fourth']);
});

test('a batch that is released while it is under way goes back when the thread is done', async () => {
  const pool = await open({ batchesMax: 1 });
  const batch = await pool.take();
  const running = pool.run(batch);
  await expect(pool.run(batch)).rejects.toThrow(InvalidArgumentError);
  batch.release();
  await expect(pool.run(batch)).rejects.toThrow(InvalidArgumentError);
  expect(pool.status()).toMatchObject({ taken: 1, running: 1 });
  const next = pool.take();
  expect(pool.status().waiting).toBe(1);
  await running;
  await next;
});

test('an abort ends the wait for a batch and for a result, and stops no thread', async () => {
  const pool = await open({ batchesMax: 1 });
  const [before, during, other] = [AbortSignal.abort('early'), new AbortController(), new AbortController()];
  await expect(pool.take({ signal: before })).rejects.toThrow(AbortedError);
  const batch = await pool.take();
  const waiting = pool.take({ signal: during.signal });
  const run = pool.run(batch, undefined, { signal: other.signal });
  during.abort('enough');
  other.abort('enough');
  await expect(waiting).rejects.toMatchObject({ code: 'ABORTED', cause: 'enough' });
  await expect(run).rejects.toMatchObject({ code: 'ABORTED', cause: 'enough' });
  batch.release();
  const next = await pool.take();
  expect(pool.status()).toEqual({ threads: 2, taken: 1, running: 0, waiting: 0 });
  await expect(pool.run(next, 10)).resolves.toMatchObject({ cuts: Uint32Array.of(10) });
});

describe('a thread that dies', () => {
  test.each([
    ['exits', TELL.exit, `worker exited with code: ${EXIT_CODE}`],
    ['throws where nobody catches', TELL.throwLater, 'told to throw later'],
    ['throws', TELL.throw, 'told to throw'],
  ])('when it %s, its batch fails, and another thread takes its place', async (_, told, message) => {
    const pool = await open({ threads: 1 }, obedient);
    for (let round = 0; round < 3; round++) {
      const batch = await pool.take();
      batch.bytes.fill(7);
      batch.bytes.set([told], batch.bytes.byteLength - 1);
      const failed = await pool.run(batch).catch((error) => error);
      expect(failed).toBeInstanceOf(WorkerFailedError);
      expect(failed).toMatchObject({ code: 'WORKER_FAILED', recoverable: true, found: message });
      expect(batch.bytes[0]).toBe(7);
      batch.bytes.set([TELL.work], batch.bytes.byteLength - 1);
      const { cuts } = await pool.run(batch);
      expect(cuts.at(-1)).toBe(batch.bytes.byteLength);
      batch.release();
      expect(pool.status()).toEqual({ threads: 1, taken: 0, running: 0, waiting: 0 });
    }
  });

  test.each([
    ['exits', 'process.exit(0);'],
    ['throws', "throw new Error('does not load');"],
  ])(
    'when it is the replacement that %s while it loads, what is queued fails, and later runs work',
    async (_, last) => {
      const dir = newDirectory();
      const [worker, flag] = [join(dir, 'worker.mjs'), join(dir, 'loaded-once')];
      writeFileSync(
        worker,
        `import { existsSync, writeFileSync } from 'node:fs';
      if (existsSync(${JSON.stringify(flag)})) ${last}
      writeFileSync(${JSON.stringify(flag)}, '');
      export default ({ length }) => length === 1 ? process.exit(${EXIT_CODE}) : { cuts: length };`,
      );
      const pool = await open({ threads: 1 }, worker);
      const batches = await Promise.all([pool.take(), pool.take(), pool.take()]);
      const failed = await Promise.allSettled(batches.map((batch, index) => pool.run(batch, index === 0 ? 1 : 2)));
      expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
      for (const result of failed) {
        expect((result as PromiseRejectedResult).reason).toBeInstanceOf(WorkerFailedError);
      }
      rmSync(flag);
      await expect(pool.run(batches[1], 2)).resolves.toEqual({ cuts: 2 });
      expect(pool.status()).toEqual({ threads: 1, taken: 3, running: 0, waiting: 0 });
    },
  );

  test('a file that is not there or does not load fails the opening', async () => {
    await expect(open({}, `${obedient}.missing`)).rejects.toThrow(/there is no .*npm run build/);
    await expect(open({}, compiled('pool.test'))).rejects.toThrow(WorkerFailedError);
  });
});

test('close waits for what is under way, ends all threads and refuses the rest', async () => {
  const pool = await open({ batchesMax: 2 });
  const [one, two] = [await pool.take(), await pool.take()];
  const running = pool.run(one);
  const waiting = pool.take();
  const closing = Promise.all([pool.close(), pool.close()]);
  await expect(waiting).rejects.toThrow(ClosedError);
  await expect(pool.take()).rejects.toThrow(ClosedError);
  await expect(pool.run(two)).rejects.toThrow(ClosedError);
  expect((await running).cuts.at(-1)).toBe(64 * KIB);
  await closing;
  one.release();
  expect(pool.status()).toMatchObject({ threads: 0, running: 0, waiting: 0 });
});

test.each([
  ['idle', 0, 'all done\n'],
  ['closed', 0, 'all done\n'],
  ['under way', 7, ''],
])('%s, threads do not keep the process', (scenario, status, stdout) => {
  const left = spawnSync(process.execPath, [compiled('pool-leaving'), scenario], { encoding: 'utf8', timeout: 25_000 });
  expect(left).toMatchObject({ status, stdout, stderr: '', signal: null });
});

test.each<Partial<ChunkPoolOptions>>([
  { threads: -1 },
  { threads: 65 },
  { threads: 1.5 },
  { batchBytes: 64 * KIB - 1 },
  { batchBytes: 64 * MIB + 1 },
  { batchesMax: 0 },
  { batchesMax: 257 },
  { batchBytes: 64 * MIB, batchesMax: 17 },
  { digestBytes: 9 as never },
  { engine: 'other' as never },
  { key: new Uint8Array(3) },
  { averageBytes: 1 },
])('%j is refused', async (o) => {
  await expect(open(o)).rejects.toThrow(InvalidArgumentError);
});

test('defaults', () => {
  expect([1, 2, 3, 4, 64].map((processors) => threadsByDefault(processors))).toEqual([0, 2, 3, 4, 4]);
  const { settings, batchesMax } = checkedPoolOptions({ key: KEY, threads: 2 });
  expect([settings.batchBytes, settings.digestBytes, batchesMax]).toEqual([2 * MIB, 8, 6]);
  expect(checkedPoolOptions({ key: KEY, threads: 0 }).batchesMax).toBe(1);
  expect(checkedPoolOptions({ key: KEY, threads: 64, batchBytes: 64 * MIB }).batchesMax).toBe(16);
});

test('a batch of another pool, and a length beyond the batch, are refused', async () => {
  const [pool, other] = [await open({ threads: 0 }), await open({ threads: 0 })];
  const batch = await pool.take();
  await expect(other.run(batch)).rejects.toThrow(InvalidArgumentError);
  for (const length of [-1, 0.5, 64 * KIB + 1]) {
    await expect(pool.run(batch, length)).rejects.toThrow(InvalidArgumentError);
  }
});

test('a worker checks what it is given', () => {
  const { settings } = checkedPoolOptions(small);
  const work = chunkWork(portable, settings);
  const memory = new SharedArrayBuffer(100);
  for (const length of [-1, 101, Number.NaN]) expect(() => work({ memory, length })).toThrow(InvalidArgumentError);
  expect(() => work({ memory: new SharedArrayBuffer(64 * KIB + 1), length: 1 })).toThrow(InvalidArgumentError);
  expect(() => chunkWork(portable, { ...settings, key: new Uint8Array(31) })).toThrow(InvalidArgumentError);
  expect(() => chunkWork(portable, { ...settings, gear: settings.gear.subarray(1) })).toThrow(InvalidArgumentError);
});
