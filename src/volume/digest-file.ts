import { Digest } from '../engine/digest.js';
import type { Descriptor } from './descriptor.js';

const READ_BYTES = 1024 * 1024;

/** The digest of an open file's whole content, as long as it is when it is read. */
export async function digestHandle(file: Descriptor, size: number): Promise<Buffer> {
  const digest = new Digest();
  // One byte more than expected shows the end, and growth, in the same read.
  const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, size + 1));
  for (let at = 0; ; ) {
    const length = await file.read(buffer, at);
    digest.update(buffer.subarray(0, length));
    at += length;
    if (length < buffer.byteLength) return digest.finish();
  }
}
