import type { Descriptor } from './descriptor.js';

/** Writes that leave zeros out, so that holes stay holes. */

const BLOCK_BYTES = 4096;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** Writes only the blocks that hold something; the caller sets the file's length afterwards. */
export async function writeSparse(file: Descriptor, bytes: Buffer, position: number): Promise<void> {
  for (const [from, to] of filledStretches(bytes, BLOCK_BYTES)) {
    await file.write(bytes.subarray(from, to), position + from);
  }
}

/** Stretches of `bytes` that are not all zero, in steps of `stepBytes`; neighbours are joined. */
export function filledStretches(bytes: Buffer, stepBytes: number): [number, number][] {
  const stretches: [number, number][] = [];
  for (let at = 0; at < bytes.byteLength; at += stepBytes) {
    const end = Math.min(at + stepBytes, bytes.byteLength);
    if (isZero(bytes.subarray(at, end))) continue;
    const previous = stretches[stretches.length - 1];
    if (previous !== undefined && previous[1] === at) previous[1] = end;
    else stretches.push([at, end]);
  }
  return stretches;
}

function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.byteLength; at += BLOCK_BYTES) {
    const block = bytes.subarray(at, at + BLOCK_BYTES);
    if (!block.equals(ZEROS.subarray(0, block.byteLength))) return false;
  }
  return true;
}
