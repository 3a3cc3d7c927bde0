import { AbortedError, InvalidArgumentError, SequenceGapError } from '../errors.js';
import { onAbort } from './abort.js';
import { Operation } from './operation.js';
import type { Entry } from './record.js';
import type { JournalState } from './state.js';
import type { GroupWriter } from './writer.js';

/**
 * Where records get their numbers: in the order of the calls, and only while the limits allow. Calls that have to wait
 * wait in line, so that backpressure never changes the order.
 */

export interface IntakeLimits {
  epoch: number;
  now: () => number;
  /** Whether the next record has to wait. */
  full: () => boolean;
}

interface Waiter {
  enter: () => void;
  reject: (error: Error) => void;
}

export class Intake {
  /** The newest number given. */
  assigned: number;
  /** The epoch of the newest number given; no later record may have a lower one. */
  private epoch: number;
  private held = false;
  private readonly waiting = new Set<Waiter>();

  constructor(
    private readonly state: JournalState,
    private readonly writer: GroupWriter,
    private readonly limits: IntakeLimits,
  ) {
    this.assigned = state.last;
    this.epoch = state.lastEpoch;
  }

  /** Numbers new records, now if possible; the entries are the caller's to give up. */
  append(entries: Entry[], signal?: AbortSignal): Operation | Promise<Operation> {
    return this.enter('append', signal, () => {
      const timestamp = this.limits.now();
      const epoch = Math.max(this.limits.epoch, this.epoch);
      for (const entry of entries) {
        entry.epoch = epoch;
        entry.timestamp = timestamp;
      }
      return this.admit(entries, 'append', signal);
    });
  }

  /** Takes records that have number, epoch and checksum already. */
  appendReplicated(entries: Entry[]): Operation | Promise<Operation> {
    return this.enter('appendReplicated', undefined, () => {
      let expected = this.assigned;
      let epoch = this.epoch;
      for (const [index, entry] of entries.entries()) {
        if (entry.sequence !== ++expected) throw new SequenceGapError(expected, entry.sequence);
        if (entry.epoch < epoch) {
          throw new InvalidArgumentError(
            `records[${index}].epoch`,
            entry.epoch,
            `at least ${epoch}, the epoch before it`,
          );
        }
        epoch = entry.epoch;
      }
      return this.admit(entries, 'appendReplicated', undefined);
    });
  }

  /** Lets in who waits, as far as the limits allow. */
  pump(): void {
    for (const waiter of this.waiting) {
      if (this.held || this.limits.full()) return;
      this.waiting.delete(waiter);
      waiter.enter();
    }
  }

  rejectWaiting(error: Error): void {
    for (const waiter of this.waiting) waiter.reject(error);
    this.waiting.clear();
  }

  /** Lets nobody in while a reset is under way. */
  hold(): void {
    this.held = true;
  }

  /** Goes on behind the state's last record. */
  resume(): void {
    this.held = false;
    this.assigned = this.state.last;
    this.epoch = this.state.lastEpoch;
    this.pump();
  }

  private admit(entries: Entry[], what: string, signal: AbortSignal | undefined): Operation {
    const first = this.assigned + 1;
    for (const entry of entries) entry.sequence = ++this.assigned;
    this.epoch = entries[entries.length - 1]?.epoch ?? this.epoch;
    const operation = new Operation(first, this.assigned, what, signal);
    this.writer.push(entries, operation);
    return operation;
  }

  private enter(what: string, signal: AbortSignal | undefined, take: () => Operation): Operation | Promise<Operation> {
    const refusal = this.state.refusal;
    if (refusal !== undefined) throw refusal;
    if (signal?.aborted) throw new AbortedError(what, undefined, signal.reason);
    if (this.waiting.size === 0 && !this.held && !this.limits.full()) return take();
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        enter: () => {
          leave?.();
          try {
            resolve(take());
          } catch (error) {
            reject(error);
          }
        },
        reject: (error) => {
          leave?.();
          reject(error);
        },
      };
      const abort = () => {
        this.waiting.delete(waiter);
        waiter.reject(new AbortedError(what, undefined, signal?.reason));
        // Whoever stands behind may be let in now that nobody stands before.
        this.pump();
      };
      const leave = signal === undefined ? undefined : onAbort(signal, abort);
      this.waiting.add(waiter);
    });
  }
}
