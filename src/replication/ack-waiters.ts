import type { AckLevel } from '../options.js';

export type RemoteLevel = Exclude<AckLevel, 'local'>;

interface Waiter {
  sequence: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** How far one peer has come. */
export interface Position {
  logged: number;
  applied: number;
}

/**
 * Who waits for which record to reach which level on how many peers. Waiters of one level and quorum stand in line by
 * sequence number, so an acknowledgement costs what it releases.
 */
export class AckWaiters {
  readonly #lines = new Map<string, { level: RemoteLevel; quorum: number; line: Waiter[] }>();

  /** Resolves when `quorum` of the peers have reached `sequence`; the positions are those that `settle` is given. */
  wait(level: RemoteLevel, quorum: number, sequence: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#remove(waiter);
        reject(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
      };
      const done = (): void => signal?.removeEventListener('abort', onAbort);
      const waiter: Waiter = {
        sequence,
        resolve: () => {
          done();
          resolve();
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      this.#insert(level, quorum, waiter);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Lets go everyone whose record has come far enough. */
  settle(positions: readonly Position[]): void {
    for (const { level, quorum, line } of this.#lines.values()) {
      const reached = reachedBy(positions, level, quorum);
      let released = 0;
      for (const waiter of line) {
        if (waiter.sequence > reached) break;
        released++;
      }
      for (const waiter of line.splice(0, released)) waiter.resolve();
    }
  }

  /** Tells everyone who waits for more peers than can still get there. */
  fail(error: Error, peersLeft: number): void {
    for (const { quorum, line } of this.#lines.values()) {
      if (quorum > peersLeft) for (const waiter of line.splice(0)) waiter.reject(error);
    }
  }

  #insert(level: RemoteLevel, quorum: number, waiter: Waiter): void {
    const key = `${level} ${quorum}`;
    const entry = this.#lines.get(key) ?? { level, quorum, line: [] };
    this.#lines.set(key, entry);
    let at = entry.line.length;
    while (at > 0 && (entry.line[at - 1]?.sequence ?? 0) > waiter.sequence) at--;
    entry.line.splice(at, 0, waiter);
  }

  #remove(waiter: Waiter): void {
    for (const { line } of this.#lines.values()) {
      const at = line.indexOf(waiter);
      if (at >= 0) line.splice(at, 1);
    }
  }
}

/** The sequence number that at least `quorum` of the peers have reached at this level. */
export function reachedBy(positions: readonly Position[], level: RemoteLevel, quorum: number): number {
  const sorted = positions.map((position) => position[level]).sort((a, b) => b - a);
  return quorum === 0 ? Number.MAX_SAFE_INTEGER : (sorted[quorum - 1] ?? 0);
}
