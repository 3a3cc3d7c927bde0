import { Block, EMPTY_BLOCK, type Readable } from './block.js';

/** Reads a stretch of a file block after block, each while the one before it is worked on, in memory used in turns. */

const BLOCK_BYTES = 1024 * 1024;
/** So much of a block may be left over when the next is asked for, and is put before that; what is more is read again. */
const CARRY_BYTES_MAX = 128 * 1024;

/** On its way: the bytes from `start` on, behind room for what is carried over. */
interface Ahead {
  start: number;
  memory: Buffer;
  filled: Promise<number>;
}

export class ReadAhead {
  /** Means nothing any more once the next is loaded. */
  block: Block = EMPTY_BLOCK;
  private ahead: Ahead | undefined;
  /** What the next block goes to, and what the last one was read ahead into. */
  private spare: Buffer | undefined;
  private used: Buffer | undefined;
  /** What is not read ahead goes to. */
  private own: Buffer = EMPTY_BLOCK.bytes;

  constructor(private readonly file: Readable) {}

  /** Sees to it that the block holds `bytes` from `offset` on, or all that there is up to `end`. */
  async load(offset: number, bytes: number, end: number): Promise<void> {
    if (this.block.holds(offset, bytes)) return;
    this.block = (await this.next(offset, bytes)) ?? (await this.read(offset, bytes, end));
    this.begin(bytes, end);
  }

  /** What was read ahead, if that is what is wanted now. */
  private async next(offset: number, bytes: number): Promise<Block | undefined> {
    const { ahead, block } = this;
    if (ahead === undefined) return undefined;
    this.ahead = undefined;
    const filled = await ahead.filled;
    const { start, memory } = ahead;
    const carried = start - offset;
    const fits = carried >= 0 && carried <= Math.min(CARRY_BYTES_MAX, block.bytes.byteLength);
    if (fits) block.bytes.copy(memory, CARRY_BYTES_MAX - carried, block.bytes.byteLength - carried);
    this.spare = this.used;
    this.used = memory;
    const next = new Block(memory.subarray(CARRY_BYTES_MAX - carried, CARRY_BYTES_MAX + filled), offset);
    return fits && next.holds(offset, bytes) ? next : undefined;
  }

  private async read(offset: number, bytes: number, end: number): Promise<Block> {
    const size = Math.min(Math.max(bytes, BLOCK_BYTES), end - offset);
    if (this.own.byteLength < size) this.own = Buffer.allocUnsafeSlow(size);
    const filled = await this.file.read(this.own.subarray(0, size), offset);
    return new Block(this.own.subarray(0, filled), offset);
  }

  /** What comes is likely to be as large as what was `wanted`. */
  private begin(wanted: number, end: number): void {
    const start = this.block.fileEnd;
    const bytes = Math.min(Math.max(wanted, BLOCK_BYTES), end - start);
    if (bytes <= 0 || this.block.bytes.byteLength === 0) return;
    const size = CARRY_BYTES_MAX + bytes;
    const memory =
      this.spare !== undefined && this.spare.byteLength >= size ? this.spare : Buffer.allocUnsafeSlow(size);
    this.spare = undefined;
    const filled = this.file.read(memory.subarray(CARRY_BYTES_MAX, size), start);
    // Whoever needs the block is told; often nobody does.
    filled.catch(() => {});
    this.ahead = { start, memory, filled };
  }
}
