import { workerData } from 'node:worker_threads';
import { type ChunkResult, type ChunkTask, chunkWork } from '../../src/engine/chunk-work.js';
import { loadEngine } from '../../src/engine/load.js';
import { EXIT_CODE, TELL } from './pool-orders.js';

/** The worker of a ChunkPool that also does what the last byte of a batch tells it to. */

const work = chunkWork(loadEngine(workerData.engine).kernels, workerData.settings);

export default function obey(task: ChunkTask): ChunkResult | Promise<never> {
  const told = task.memory.byteLength === 0 ? TELL.work : new Uint8Array(task.memory).at(-1);
  if (told === TELL.exit) process.exit(EXIT_CODE);
  if (told === TELL.throw) throw new Error('told to throw');
  if (told === TELL.throwLater) {
    setImmediate(() => {
      throw new Error('told to throw later');
    });
    return new Promise(() => {});
  }
  return work(task);
}
