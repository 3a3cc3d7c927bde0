import { ProtocolError } from '../errors.js';
import { lz4 } from './lz4.js';

/** LZ4 blocks with their length (u32, little endian) in front, made and read off the event loop. */

const PREFIX_BYTES = 4;
/**
 * Up to here a block is decompressed at once, in a millisecond or two. Blocks that other threads allocate come back to
 * the system so late that a process which decompresses a lot grows by half a gigabyte.
 */
const AT_ONCE_BYTES_MAX = 4 * 1024 * 1024;

export function lz4Compress(bytes: Uint8Array): Promise<Buffer> {
  return lz4.compress(bytes);
}

/**
 * Decompresses a block that came from a peer. The library allocates what the prefix says before it looks at the block,
 * so the prefix is held against the length that the frame announced first.
 */
export async function lz4Decompress(block: Uint8Array, length: number): Promise<Buffer> {
  if (block.byteLength < PREFIX_BYTES)
    throw new ProtocolError(`an LZ4 block of ${block.byteLength} bytes`, 'at least 4');
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const announced = view.getUint32(0, true);
  if (announced !== length) throw new ProtocolError(`an LZ4 block of ${announced} bytes`, `${length} bytes`);
  let bytes: Buffer;
  try {
    bytes = length <= AT_ONCE_BYTES_MAX ? lz4.uncompressSync(block) : await lz4.uncompress(block);
  } catch {
    throw new ProtocolError('an LZ4 block that does not decompress', 'a valid block');
  }
  if (bytes.byteLength !== length)
    throw new ProtocolError(`${bytes.byteLength} bytes after decompression`, `${length}`);
  return bytes;
}

const SAMPLE_BYTES = 16 * 1024;
const WORTHWHILE = 0.95;

/** Whether LZ4 is likely to save anything worth its time, judged on two samples. */
export function looksCompressible(parts: readonly Uint8Array[]): boolean {
  const largest = parts.reduce((a, b) => (b.byteLength > a.byteLength ? b : a), parts[0] ?? new Uint8Array());
  if (largest.byteLength <= 4 * SAMPLE_BYTES) return true;
  const third = Math.floor(largest.byteLength / 3);
  return [third, 2 * third].some((at) => {
    const sample = Buffer.from(largest.buffer, largest.byteOffset + at, SAMPLE_BYTES);
    return lz4.compressSync(sample).byteLength < SAMPLE_BYTES * WORTHWHILE;
  });
}
