import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { kernels } from '../../src/engine/engine.js';

/**
 * A program that leaves, or lets go of its memory, while writes are under way: `leaving.js <scenario> <directory>`.
 * The last line it prints says that it got where it should.
 */

const WRITES = 40;
const WRITE_BYTES = 64 * 1024;
/** What the exit code of a process that was told to leave is. */
const EXIT_CODE = 7;
const WORKERS = 12;

const [scenario = '', dir = ''] = isMainThread ? process.argv.slice(2) : (workerData as string[]);
const path = join(dir, `file-${isMainThread ? 'main' : 'worker'}`);
const fd = openSync(path, 'w+');

const piece = (index: number): Buffer => Buffer.alloc(WRITE_BYTES, index + 1);
const write = (index: number): Promise<void> => kernels.writeDurable(fd, [piece(index)], index * WRITE_BYTES, true);

function startAll(): Promise<void>[] {
  return Array.from({ length: WRITES }, (_, index) => write(index));
}

/** Forces the collector to run; with --expose-gc. */
const collect = (): void => (globalThis as unknown as { gc(): void }).gc();

function assertWritten(): void {
  const content = readFileSync(path);
  for (let index = 0; index < WRITES; index++) {
    const part = content.subarray(index * WRITE_BYTES, (index + 1) * WRITE_BYTES);
    if (!part.equals(piece(index))) throw new Error(`write ${index} is not what was given`);
  }
}

/** Starts a thread with this program and waits until it says that it is writing. */
async function startWorker(inside: string): Promise<{ worker: Worker; left: Promise<number> }> {
  const worker = new Worker(new URL(import.meta.url), { workerData: [inside, dir] });
  const left = new Promise<number>((resolve) => worker.once('exit', resolve));
  await new Promise((resolve) => worker.once('message', resolve));
  return { worker, left };
}

const scenarios: Record<string, () => Promise<void>> = {
  async 'at once'() {
    void startAll();
    process.exit(EXIT_CODE);
  },
  async 'a turn later'() {
    void startAll();
    await turn();
    process.exit(EXIT_CODE);
  },
  async 'when the first is done'() {
    await Promise.race(startAll());
    process.exit(EXIT_CODE);
  },
  async 'by an exception'() {
    void startAll();
    await turn();
    queueMicrotask(() => {
      throw new Error('nobody catches this');
    });
  },
  async 'by itself'() {
    void startAll();
    process.once('exit', () => {
      assertWritten();
      console.log('all written');
    });
  },
  async idle() {
    await Promise.all(startAll());
    console.log('nothing keeps it');
  },
  async collected() {
    const written = startAll();
    for (let round = 0; round < 10; round++) {
      collect();
      // What the collector freed is likely to be used again for these.
      for (let index = 0; index < 20; index++) Buffer.alloc(WRITE_BYTES, 0xff);
      await turn();
    }
    await Promise.all(written);
    assertWritten();
    console.log('all written');
  },
  async 'given away'() {
    const buffers = Array.from({ length: WRITES }, () => new Uint8Array(WRITE_BYTES));
    const written = buffers.map((buffer, index) => kernels.writeDurable(fd, [buffer], index * WRITE_BYTES, true));
    for (const buffer of buffers) structuredClone(buffer, { transfer: [buffer.buffer] });
    collect();
    await Promise.allSettled(written);
    console.log('still here');
  },
  async 'closed meanwhile'() {
    const written = startAll();
    closeSync(fd);
    const outcomes = await Promise.allSettled(written);
    const codes = outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'written'));
    console.log([...new Set(codes)].every((code) => ['written', 'EBADF'].includes(code)) ? 'still here' : codes);
  },
  async 'terminated threads'() {
    for (let round = 0; round < WORKERS; round++) {
      const { worker, left } = await startWorker('endless');
      for (let turns = 0; turns < round; turns++) await turn();
      await worker.terminate();
      await left;
    }
    await Promise.all(startAll());
    assertWritten();
    console.log('all written');
  },
  async 'threads that exit'() {
    const workers = await Promise.all(Array.from({ length: 3 }, () => startWorker('exiting')));
    const codes = await Promise.all(workers.map(({ left }) => left));
    console.log(codes.every((code) => code === EXIT_CODE) ? 'all left' : codes);
  },
  async 'with threads'() {
    await Promise.all([startWorker('endless'), startWorker('endless')]);
    process.exit(EXIT_CODE);
  },
  async endless() {
    parentPort?.postMessage('writing');
    for (;;) await Promise.all(startAll());
  },
  async exiting() {
    void startAll();
    parentPort?.postMessage('writing');
    await turn();
    process.exit(EXIT_CODE);
  },
};

await scenarios[scenario]?.();
