import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { isMainThread, workerData } from 'node:worker_threads';
import { kernels } from '../../src/engine/engine.js';
import { collect, departures, type Scenarios } from './departure.js';

/**
 * A program that leaves, or lets go of its memory, while writes are under way: `leaving.js <scenario> <directory>`.
 * The last line it prints says that it got where it should.
 */

const WRITES = 40;
const WRITE_BYTES = 64 * 1024;

const [scenario = '', dir = ''] = isMainThread ? process.argv.slice(2) : (workerData as string[]);
const path = join(dir, `file-${isMainThread ? 'main' : 'worker'}`);
const fd = openSync(path, 'w+');

const piece = (index: number): Buffer => Buffer.alloc(WRITE_BYTES, index + 1);
const write = (index: number): Promise<void> => kernels.writeDurable(fd, [piece(index)], index * WRITE_BYTES, true);

function startAll(): Promise<void>[] {
  return Array.from({ length: WRITES }, (_, index) => write(index));
}

function assertWritten(): void {
  const content = readFileSync(path);
  for (let index = 0; index < WRITES; index++) {
    const part = content.subarray(index * WRITE_BYTES, (index + 1) * WRITE_BYTES);
    if (!part.equals(piece(index))) throw new Error(`write ${index} is not what was given`);
  }
}

function done(): void {
  assertWritten();
  console.log('all written');
}

const scenarios: Scenarios = {
  ...departures({ program: import.meta.url, workerData: (inside) => [inside, dir], startAll, done }),
  async 'by itself'() {
    void startAll();
    process.once('exit', done);
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
    done();
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
};

await scenarios[scenario]?.();
