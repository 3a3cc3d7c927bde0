import { read } from 'node:fs';
import { promisify } from 'node:util';

const readAt = promisify(read);

/** As many as Node's pool has threads. */
const READS_AT_ONCE = 4;

/** As the kernel of that name. */
export async function readSpans(fd: number, spans: Float64Array, into: Uint8Array): Promise<boolean> {
  let next = 0;
  let at = 0;
  let whole = true;
  const work = async (): Promise<void> => {
    while (whole && next < spans.length) {
      const [position = 0, length = 0] = spans.subarray(next, next + 2);
      const part = into.subarray(at, at + length);
      next += 2;
      at += length;
      if (!(await readWhole(fd, part, position))) whole = false;
    }
  };
  await Promise.all(Array.from({ length: READS_AT_ONCE }, work));
  return whole;
}

async function readWhole(fd: number, into: Uint8Array, position: number): Promise<boolean> {
  for (let filled = 0; filled < into.byteLength; ) {
    const { bytesRead } = await readAt(fd, into, filled, into.byteLength - filled, position + filled);
    if (bytesRead === 0) return false;
    filled += bytesRead;
  }
  return true;
}
