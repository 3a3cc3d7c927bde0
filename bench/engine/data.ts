import { createCipheriv } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from '../kit/built.js';

/** What the kernels are given, the same on every run. */

const PAGE_BYTES = 8192;
const ROW_BYTES = 128;

/** Files of node_modules one after the other, in the order of their names. */
export function packageFiles(bytes: number): Buffer {
  const files = readdirSync(join(PROJECT, 'node_modules'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const content = Buffer.alloc(bytes);
  let length = 0;
  for (const file of files) {
    length += readFileSync(file).copy(content, length);
    if (length === bytes) break;
  }
  return content.subarray(0, length);
}

/** AES-128-CTR of nothing. */
export function randomBytes(bytes: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

/** Pages as a database writes them: a header, rows of numbers and text from the end on, zeros in between. */
export function databasePages(bytes: number): Buffer {
  const content = Buffer.alloc(bytes - (bytes % PAGE_BYTES));
  const noise = randomBytes(content.byteLength / PAGE_BYTES);
  for (const [number, draw] of noise.entries()) {
    const page = content.subarray(number * PAGE_BYTES, (number + 1) * PAGE_BYTES);
    page.writeBigUInt64LE(BigInt(number) * 977n);
    const rows = 8 + (draw % 48);
    for (let row = 0; row < rows; row++) {
      const at = PAGE_BYTES - (row + 1) * ROW_BYTES;
      page.writeUInt32LE(at, 24 + 4 * row);
      page.writeUInt32LE(number * 64 + row, at);
      page.writeUInt32LE(draw * row, at + 4);
      page.write(`account ${number % 100} of branch ${row}, balance ${draw * number}`, at + 16);
    }
  }
  return content;
}
