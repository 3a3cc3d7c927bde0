import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/**
 * What of an ELF file of 64 bits in little-endian order is read here, from its start:
 *
 *   0  magic, class and byte order: 7f 45 4c 46 02 01
 *  40  u64  where the table of sections is
 *  58  u16  bytes of an entry
 *  60  u16  entries
 */
const MAGIC = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
const HEADER_BYTES = 64;

/**
 * Raises an error for a shared library that is cut off. The system maps such a file without complaint, and the process
 * dies of SIGBUS at the first access behind its end. Linkers put the table of sections last, so a file that has all of
 * it has everything. Formats other than ELF are left to the system.
 */
export function assertWhole(path: string): void {
  const fd = openSync(path, 'r');
  try {
    const header = Buffer.alloc(HEADER_BYTES);
    const headerBytes = readSync(fd, header, 0, HEADER_BYTES, 0);
    const { size } = fstatSync(fd);
    const isElf = header.subarray(0, MAGIC.byteLength).equals(MAGIC);
    if (isElf && (headerBytes < HEADER_BYTES || size < elfBytes(header))) {
      throw new Error(`the file is cut off after ${size} bytes`);
    }
  } finally {
    closeSync(fd);
  }
}

function elfBytes(header: Buffer): bigint {
  return header.readBigUInt64LE(40) + BigInt(header.readUInt16LE(58) * header.readUInt16LE(60));
}
