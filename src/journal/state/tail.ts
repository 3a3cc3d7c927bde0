import { markAsUntransferable } from 'node:worker_threads';
import { kernels } from '../../engine/engine.js';
import { PAGE_BYTES, viewOf } from '../format/format.js';
import { type RecordMemory, wordsOf } from '../format/record.js';
import { Loan } from './loan.js';

/** The newest bytes of the journal in memory: records on their way to the disk, and those that went there last. */

const BLOCK_BYTES = 1024 * 1024;
/** How many blocks that went out of use wait for their next: memory that was used before is faster than new. */
const IDLE_MAX = 8;

/** A stretch of one segment as it is or will be in the file, page for page; a record never spans two. */
export class TailBlock implements RecordMemory {
  readonly view: DataView;
  readonly words: Uint32Array;
  /** Up to where it is in use. */
  filled: number;
  readonly bytes: Buffer;

  constructor(
    /** Where the page starts that it starts with, if all segments lie in a row. */
    readonly address: number,
    /** Readers that have views of it share it. */
    readonly loan: Loan,
    /** What of that page lies in the block before. */
    private readonly lead: number,
  ) {
    this.bytes = loan.memory;
    this.view = viewOf(this.bytes);
    this.words = wordsOf(this.bytes);
    this.filled = lead;
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

  holds(address: number): boolean {
    return address >= this.address + this.lead && address < this.endAddress;
  }

  take(bytes: number): number {
    const at = this.filled;
    this.filled += bytes;
    return at;
  }
}

export class Tail {
  private blocks: TailBlock[] = [];
  private readonly idle: Buffer[] = [];

  constructor(private readonly bytesMax: number) {}

  /** The block for the next `bytes`, which go to `address`. */
  blockFor(address: number, bytes: number): TailBlock {
    const newest = this.blocks[this.blocks.length - 1];
    if (newest !== undefined && newest.endAddress === address && newest.room >= bytes) return newest;
    const lead = address % PAGE_BYTES;
    const loan = new Loan(this.memory(lead + bytes), (memory) => this.keep(memory));
    const block = new TailBlock(address - lead, loan, lead);
    this.blocks.push(block);
    return block;
  }

  /** Whether memory holds what lies at an address. */
  holds(address: number): boolean {
    return this.blockAt(address) !== undefined;
  }

  /** The block that holds an address, if memory still does; who keeps views of it shares its loan. */
  blockAt(address: number): TailBlock | undefined {
    for (let index = this.blocks.length - 1; index >= 0; index--) {
      const block = this.blocks[index] as TailBlock;
      if (block.holds(address)) return block;
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
    for (const { loan } of this.blocks.splice(0, gone)) loan.giveBack();
  }

  clear(): void {
    this.blocks = [];
  }

  private keep(memory: Buffer): void {
    if (memory.byteLength === BLOCK_BYTES && this.idle.length < IDLE_MAX) this.idle.push(memory);
  }

  /** Not zeroed: every byte is written before it counts. */
  private memory(bytes: number): Buffer {
    const used = bytes <= BLOCK_BYTES ? this.idle.pop() : undefined;
    if (used !== undefined) return used;
    const memory = kernels.allocatePages(Math.max(bytes, BLOCK_BYTES));
    // Records that readers get share it with records that the disk has not got yet.
    markAsUntransferable(memory.buffer);
    return memory;
  }
}
