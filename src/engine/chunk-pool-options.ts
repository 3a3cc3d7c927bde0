import { availableParallelism } from 'node:os';
import { InvalidArgumentError } from '../errors.js';
import { choiceOption, GIB, integerOption, KIB, MIB } from '../options.js';
import type { ChunkSettings } from './chunk-work.js';
import { engine } from './engine.js';
import { type ChunkOptions, gearOf } from './gear.js';

/** More threads than this read faster than memory delivers. */
const THREADS_MAX = 64;
const THREADS_BY_DEFAULT_MAX = 4;
/** Handing a batch over costs about 0.1 ms, so small ones are not worth it. */
const BATCH_BYTES = { min: 64 * KIB, max: 64 * MIB, default: 2 * MIB };
const BATCHES_MAX = 256;
/** What the batches of one pool may hold together. */
const MEMORY_BYTES_MAX = GIB;

export interface ChunkPoolOptions extends ChunkOptions {
  /**
   * Threads that cut and digest, from 0 to 64; 0 works in line, on the caller's thread. Default one for each processor,
   * up to 4, and 0 where there is only one processor.
   */
  threads?: number;
  /** What one batch holds, from 64 KiB to 64 MiB. Default 2 MiB. */
  batchBytes?: number;
  /**
   * How many batches there are, from 1 to 256 and 1 GiB in all: being filled, queued, under way or being looked at.
   * Default three for each thread, 1 in line.
   */
  batchesMax?: number;
  /** What a chunk is known by: 8 for tags in a BigUint64Array (the default), 16 for digests of 16 bytes. */
  digestBytes?: 8 | 16;
  /** Which engine works. Default the one in use. */
  engine?: 'native' | 'portable';
}

export interface CheckedChunkPoolOptions {
  threads: number;
  batchesMax: number;
  engine: 'native' | 'portable';
  settings: ChunkSettings;
}

/** Raises InvalidArgumentError for what is out of bounds. The key is copied. */
export function checkedPoolOptions(o: ChunkPoolOptions): CheckedChunkPoolOptions {
  const gear = gearOf(o);
  const threads = integerOption('threads', o.threads, { min: 0, max: THREADS_MAX, default: threadsByDefault() });
  const batchBytes = integerOption('batchBytes', o.batchBytes, BATCH_BYTES);
  const byMemory = Math.min(BATCHES_MAX, Math.floor(MEMORY_BYTES_MAX / batchBytes));
  const batchesMax = integerOption('batchesMax', o.batchesMax, {
    min: 1,
    max: byMemory,
    default: Math.max(1, Math.min(byMemory, 3 * threads)),
  });
  const digestBytes = o.digestBytes ?? 8;
  if (digestBytes !== 8 && digestBytes !== 16) throw new InvalidArgumentError('digestBytes', digestBytes, '8 or 16');
  return {
    threads,
    batchesMax,
    engine: choiceOption('engine', o.engine, ['native', 'portable'], engine.name),
    settings: { gear, key: Uint8Array.from(o.key), digestBytes, batchBytes },
  };
}

/** One processor would only switch between the threads. */
export function threadsByDefault(processors: number = availableParallelism()): number {
  return processors === 1 ? 0 : Math.min(processors, THREADS_BY_DEFAULT_MAX);
}
