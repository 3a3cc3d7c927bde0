import type { Random } from '../../../fuzz/random.js';
import { JournalDamagedError } from '../../../src/errors.js';

/** What is wrong with the records and side files of a journal in memory, and how often somebody came across it. */
export class JournalFaults {
  /** Records that cannot be read. */
  readonly unreadable = new Set<number>();
  /** Records whose payload `readRanges` gives back with one bit changed; reading all of them finds it. */
  readonly flipped = new Set<number>();
  /** How likely a side file is lost, cut short, or that of another secret when it is read. */
  sideFaults = 0;

  readonly met = { unreadable: 0, flipped: 0, gone: 0, sidesLost: 0, sidesDamaged: 0, sidesRead: 0 };

  /** How often a read of records was not what it should be. */
  get meetings(): number {
    return this.met.unreadable + this.met.flipped + this.met.gone;
  }

  /** For whoever reads and checks whole records. */
  refuseDamaged(sequence: number): void {
    if (!this.flipped.has(sequence)) this.refuseUnreadable(sequence);
    else throw this.#damage(sequence);
  }

  refuseUnreadable(sequence: number): void {
    if (this.unreadable.has(sequence)) throw this.#damage(sequence);
  }

  /** A part of a payload as it is read in place. */
  part(sequence: number, bytes: Buffer, random: Random): Buffer {
    if (bytes.byteLength === 0 || !this.flipped.has(sequence)) return bytes;
    this.met.flipped++;
    const copy = Buffer.from(bytes);
    const at = random.below(copy.byteLength);
    copy[at] = (copy[at] as number) ^ (1 << random.below(8));
    return copy;
  }

  side(bytes: Buffer | undefined, random: Random): Buffer | undefined {
    if (bytes === undefined) return undefined;
    this.met.sidesRead++;
    if (!random.chance(this.sideFaults)) return bytes;
    if (random.chance(1 / 2)) {
      this.met.sidesLost++;
      return undefined;
    }
    this.met.sidesDamaged++;
    if (random.chance(1 / 2)) return bytes.subarray(0, random.below(bytes.byteLength));
    const other = Buffer.from(bytes);
    const inHead = random.below(Math.min(9, other.byteLength));
    other[inHead] = (other[inHead] as number) ^ 1;
    return other;
  }

  /** Records before `first` are gone, and their faults with them. */
  forgetBefore(first: number): void {
    for (const set of [this.unreadable, this.flipped]) {
      for (const sequence of set) if (sequence < first) set.delete(sequence);
    }
  }

  clear(): void {
    this.unreadable.clear();
    this.flipped.clear();
  }

  #damage(sequence: number): JournalDamagedError {
    this.met.unreadable++;
    return new JournalDamagedError('a segment in memory', 0, sequence, sequence, 'a fault that was put there');
  }
}
