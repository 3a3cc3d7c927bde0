import type { DiskFile } from '../disk/disk.js';
import { viewOf } from '../format/format.js';

/** A stretch of a segment in memory, as it was read. */
export class Block {
  readonly view: DataView;
  constructor(
    readonly bytes: Buffer,
    /** Where the block starts in the segment. */
    readonly fileOffset: number,
  ) {
    this.view = viewOf(bytes);
  }

  get fileEnd(): number {
    return this.fileOffset + this.bytes.byteLength;
  }

  holds(offset: number, bytes: number): boolean {
    return offset >= this.fileOffset && offset + bytes <= this.fileEnd;
  }
}

export const EMPTY_BLOCK = new Block(Buffer.alloc(0), 0);

/** A file, or a part of one in memory. */
export type Readable = Pick<DiskFile, 'read'>;

/** Reads `bytes` from `offset`, into `memory` if that is given; the block is shorter if the file is. */
export async function readBlock(file: Readable, offset: number, bytes: number, memory?: Buffer): Promise<Block> {
  const buffer = memory?.subarray(0, bytes) ?? Buffer.allocUnsafeSlow(bytes);
  const filled = await file.read(buffer, offset);
  return new Block(filled === bytes ? buffer : buffer.subarray(0, filled), offset);
}
