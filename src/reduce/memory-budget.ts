import { LEVEL } from '../engine/zstd-arguments.js';
import { MIB } from '../options.js';

/**
 * The memory of the reduction of a whole process. Sessions take what their codec needs before they open it, and indexes of
 * history what they grow by. Whoever may come to have a session says so with a claim, so that the first one does not take
 * what is meant for all.
 */

export const REDUCTION_BYTES = { min: 8 * MIB, max: 1024 * 1024 * MIB, default: 512 * MIB } as const;

/** Indexes of history together take no more than this part: without windows there would be nothing to index for. */
const INDEX_PART = 1 / 2;
/** With a smaller window a stream is not worth its while. */
export const WINDOW_LOG_MIN = 20;

/** Of a window: what is read as a prefix at most, and then lies in the codec's own memory. */
const PREFIX_PART = 3 / 4;
/** Tables of zstd by level, in MiB, at windows of 2^20 and 2^26 bytes. */
const TABLES_MIB: readonly (readonly [level: number, small: number, large: number])[] = [
  [3, 2, 6],
  [6, 4, 12],
  [9, 11, 19],
  [12, 22, 49],
  [15, 34, 81],
  [LEVEL.max, 35, 114],
];

/** What an encoder takes at most, in bytes: its window, its tables, its prefix, and that once more while it is read. */
export function encoderBytes(level: number, windowLog: number): number {
  const [, small, large] = TABLES_MIB.find(([most]) => level <= most) ?? [0, 35, 114];
  // Levels from 10 on have large tables at windows in between already.
  const tables = windowLog <= WINDOW_LOG_MIN ? small : level > 9 || windowLog > 24 ? large : small + 2;
  return 2 ** windowLog * (1 + 2 * PREFIX_PART) + tables * MIB;
}

/** And a decoder, whose peer may make the prefix as long as the window. */
export function decoderBytes(windowLog: number): number {
  return 2 ** windowLog * 3 + MIB;
}

export class MemoryBudget {
  readonly #limits = new Set<{ bytes: number }>();
  readonly #claims = new Set<Claim>();
  #codecBytes = 0;
  #indexBytes = 0;

  /** The smallest of the bounds that are in force, or the default when none is. */
  get bytesMax(): number {
    const given = [...this.#limits].map(({ bytes }) => bytes);
    return given.length === 0 ? REDUCTION_BYTES.default : Math.min(...given);
  }

  /** What is taken. */
  get bytes(): number {
    return this.#codecBytes + this.#indexBytes;
  }

  /** A bound is in force until the returned function is called. What is taken already stays so until it is given back. */
  limit(bytes: number | undefined): () => void {
    if (bytes === undefined) return () => {};
    const limit = { bytes };
    this.#limits.add(limit);
    return () => void this.#limits.delete(limit);
  }

  /** For somebody who has one codec at a time. */
  claim(): Claim {
    const claim: Claim = new Claim({
      left: () => this.#share(claim),
      change: (bytes) => {
        this.#codecBytes += bytes;
      },
      end: () => void this.#claims.delete(claim),
    });
    this.#claims.add(claim);
    return claim;
  }

  /** For the index of a history. */
  index(): IndexMemory {
    return new IndexMemory({
      left: () => Math.min(this.bytesMax - this.bytes, this.bytesMax * INDEX_PART - this.#indexBytes),
      change: (bytes) => {
        this.#indexBytes += bytes;
      },
    });
  }

  /** An equal part of what is left, for each claim that has nothing yet. */
  #share(claim: Claim): number {
    const waiting = [...this.#claims].filter((other) => other === claim || other.bytes === 0).length;
    return Math.max(0, this.bytesMax - this.bytes) / Math.max(1, waiting);
  }
}

interface Account {
  left: () => number;
  change: (bytes: number) => void;
}

/** What one session has of the budget. */
export class Claim {
  readonly #account: Account & { end: () => void };
  #bytes = 0;

  constructor(account: Account & { end: () => void }) {
    this.#account = account;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes what the largest window needs that there is memory for, in place of what it had; undefined when there is none
   * even for the smallest, and nothing is taken then.
   */
  takeWindow(windowLogMax: number, needed: (windowLog: number) => number): number | undefined {
    this.give();
    const left = this.#account.left();
    for (let windowLog = windowLogMax; windowLog >= WINDOW_LOG_MIN; windowLog--) {
      const bytes = needed(windowLog);
      if (bytes > left) continue;
      this.#bytes = bytes;
      this.#account.change(bytes);
      return windowLog;
    }
    return undefined;
  }

  give(): void {
    this.#account.change(-this.#bytes);
    this.#bytes = 0;
  }

  /** Nothing is claimed any more. */
  end(): void {
    this.give();
    this.#account.end();
  }
}

/** What the index of one history has of the budget. */
export class IndexMemory {
  #bytes = 0;

  constructor(private readonly account: Account) {}

  /** Whether it may grow by so much, which is taken then. */
  grow(bytes: number): boolean {
    if (bytes > this.account.left()) return false;
    this.account.change(bytes);
    this.#bytes += bytes;
    return true;
  }

  /** Its memory is free. */
  end(): void {
    this.account.change(-this.#bytes);
    this.#bytes = 0;
  }
}

/** Of this process. */
export const reductionBudget = new MemoryBudget();
