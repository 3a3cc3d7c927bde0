import { workerData } from 'node:worker_threads';
import { type ChunkSettings, chunkWork } from './chunk-work.js';
import { loadEngine } from './load.js';

/** What each thread of a ChunkPool runs: the engine is loaded once, then batches come one after the other. */

export interface ChunkWorkerData {
  engine: 'native' | 'portable';
  settings: ChunkSettings;
}

const { engine, settings } = workerData as ChunkWorkerData;

export default chunkWork(loadEngine(engine).kernels, settings);
