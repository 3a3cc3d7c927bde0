import { refuse } from './arguments.js';
import { type ContentKernels, checkedContent } from './content-kernels.js';
import { CHUNK_DIGEST_BYTES, GEAR } from './content-layout.js';

/** How chunks are made, the same for every batch. It crosses to a thread once, when that starts. */
export interface ChunkSettings {
  gear: Uint32Array;
  key: Uint8Array;
  /** 8 for tags, which are 64-bit numbers, or 16. */
  digestBytes: 8 | 16;
  /** The most that a batch holds. */
  batchBytes: number;
}

/** Which part of a batch's memory to work on: the first `length` bytes. */
export interface ChunkTask {
  memory: ArrayBufferLike;
  length: number;
}

/** Memory of its own, whoever has made it. */
export interface ChunkResult {
  /** Where each chunk ends, as an offset from the start of the batch; the last one at the end of its bytes. */
  cuts: Uint32Array<ArrayBuffer>;
  /** The tags, or 16 bytes for each chunk. */
  digests: BigUint64Array<ArrayBuffer> | Uint8Array<ArrayBuffer>;
}

/**
 * What a thread does with a batch: its chunks and their digests, in one call of the kernel.
 *
 * The kernel as the engine offers it refuses shared memory, and it is the unchecked one that runs here. That is safe,
 * whatever another thread does to the batch meanwhile: the bytes are the one argument that is shared, the kernel only
 * reads them and takes no address or length from them; the length of shared memory never changes; and gear, key, cuts
 * and digests are memory of this thread, checked once here. A caller who breaks the rule and writes into a batch under
 * way gets chunks of a mixture, and nothing worse.
 */
export function chunkWork(
  kernels: Pick<ContentKernels, 'digestChunks'>,
  settings: ChunkSettings,
): (task: ChunkTask) => ChunkResult {
  const { gear, key, digestBytes, batchBytes } = settings;
  const chunksMax = Math.max(1, Math.ceil(batchBytes / (gear[GEAR.minBytes] as number)));
  const cuts = new Uint32Array(chunksMax);
  const digests = digestBytes === 8 ? new BigUint64Array(chunksMax) : new Uint8Array(chunksMax * CHUNK_DIGEST_BYTES);
  // Looks at all arguments but the bytes.
  checkedContent(kernels as ContentKernels).digestChunks(new Uint8Array(0), 0, 0, gear, key, cuts, digests, 0);
  return ({ memory, length }) => {
    if (memory.byteLength > batchBytes) refuse('memory', memory.byteLength, `at most ${batchBytes} bytes`);
    if (!Number.isSafeInteger(length) || length < 0 || length > memory.byteLength) {
      refuse('length', length, `an integer from 0 to ${memory.byteLength}`);
    }
    const count = kernels.digestChunks(new Uint8Array(memory), 0, length, gear, key, cuts, digests, 0);
    const digestsEnd = digestBytes === 8 ? count : count * CHUNK_DIGEST_BYTES;
    return { cuts: cuts.slice(0, count), digests: digests.slice(0, digestsEnd) };
  };
}
