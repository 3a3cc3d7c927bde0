import { viewOf } from './format.js';

/** The newest bytes of the journal in memory: records on their way to the disk, and those that went there last. */

const BLOCK_BYTES = 1024 * 1024;

/** A stretch of one segment as it is or will be in the file; a record never spans two. */
export class TailBlock {
  readonly bytes: Buffer;
  readonly view: DataView;
  filled = 0;

  constructor(
    /** Where its first byte lies if all segments lie in a row. */
    readonly address: number,
    bytes: number,
  ) {
    // Not from Node's pool, and not zeroed: every byte is written before it counts.
    this.bytes = Buffer.allocUnsafeSlow(Math.max(bytes, BLOCK_BYTES));
    this.view = viewOf(this.bytes);
  }

  /** What is in it so far; the view stays valid when more comes. */
  get filledBytes(): Buffer {
    return this.bytes.subarray(0, this.filled);
  }

  get endAddress(): number {
    return this.address + this.filled;
  }

  get room(): number {
    return this.bytes.byteLength - this.filled;
  }

  take(bytes: number): number {
    const at = this.filled;
    this.filled += bytes;
    return at;
  }
}

export class Tail {
  private blocks: TailBlock[] = [];

  constructor(private readonly bytesMax: number) {}

  /** The block for the next `bytes`, which go to `address`. */
  blockFor(address: number, bytes: number): TailBlock {
    const newest = this.blocks[this.blocks.length - 1];
    if (newest !== undefined && newest.endAddress === address && newest.room >= bytes) return newest;
    const block = new TailBlock(address, bytes);
    this.blocks.push(block);
    return block;
  }

  /** The block that holds an address, if memory still does. */
  blockAt(address: number): TailBlock | undefined {
    for (let index = this.blocks.length - 1; index >= 0; index--) {
      const block = this.blocks[index] as TailBlock;
      if (block.address <= address) return address < block.endAddress ? block : undefined;
    }
    return undefined;
  }

  /** Lets go of the oldest blocks; what lies behind `durableAddress` stays whatever it takes. */
  trim(durableAddress: number): void {
    let surplus = 0;
    for (const block of this.blocks) surplus += block.bytes.byteLength;
    let gone = 0;
    for (const block of this.blocks) {
      if (surplus <= this.bytesMax || block.endAddress > durableAddress) break;
      surplus -= block.bytes.byteLength;
      gone++;
    }
    if (gone > 0) this.blocks.splice(0, gone);
  }

  clear(): void {
    this.blocks = [];
  }
}
