import { onAbort } from '../../engine/abort.js';
import { recordBytes } from '../../engine/record-layout.js';
import {
  AbortedError,
  ChainMismatchError,
  InvalidArgumentError,
  type LonghaulError,
  SequenceGapError,
} from '../../errors.js';
import { ChainLink, type Entry } from '../format/record.js';
import type { JournalState } from '../state/state.js';
import { Operation } from './operation.js';
import type { GroupWriter } from './writer.js';

/**
 * Where records get their numbers: in the order of the calls, and only while the limits allow. Calls that have to wait
 * wait in line, so that backpressure never changes the order.
 */

/** A record of another journal, checked but for its place. */
export interface ReplicatedEntry extends Entry {
  checksum: bigint;
  chain: bigint | undefined;
}

export interface IntakeLimits {
  epoch: number;
  now: () => number;
  /** Whether the next record has to wait, or is refused. */
  verdict: () => 'wait' | LonghaulError | undefined;
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
  /** The chain of the newest number given, as far as records came with theirs. */
  private chained: { sequence: number; chain: bigint } | undefined;
  private readonly link = new ChainLink();
  private readonly waiting = new Set<Waiter>();

  constructor(
    private readonly state: JournalState,
    private readonly writer: GroupWriter,
    private readonly limits: IntakeLimits,
  ) {
    this.assigned = state.last;
    this.epoch = state.lastEpoch;
  }

  /**
   * Numbers a new record, now if possible, or one for each of several payloads that are alike in all else; the entry is
   * the caller's to give up.
   */
  append(
    entry: Entry,
    payloads: readonly Uint8Array[] | undefined,
    signal?: AbortSignal,
  ): Operation | Promise<Operation> {
    if (this.admits('append', signal)) return this.take(entry, payloads, signal);
    const contents = payloads ?? [entry.payload];
    const bytes = contentBytes(contents, entry.key);
    return this.wait('append', signal, () => {
      if (contentBytes(contents, entry.key) !== bytes) throw memoryGone();
      return this.take(entry, payloads, signal);
    });
  }

  /** Takes records that have number, epoch and checksum already. */
  appendReplicated(entries: ReplicatedEntry[]): Operation | Promise<Operation> {
    if (this.admits('appendReplicated', undefined)) return this.takeReplicated(entries);
    const bytes = entries.map(({ payload, key }) => contentBytes([payload], key));
    return this.wait('appendReplicated', undefined, () => {
      if (entries.some((entry, index) => contentBytes([entry.payload], entry.key) !== bytes[index])) throw memoryGone();
      return this.takeReplicated(entries);
    });
  }

  /** The chain of the newest number given; undefined while records whose chain nobody knows are on their way. */
  get chain(): bigint | undefined {
    if (this.assigned === this.state.last) return this.state.lastChain;
    return this.chained?.sequence === this.assigned ? this.chained.chain : undefined;
  }

  /** Lets in who waits, as far as the limits allow. */
  pump(): void {
    for (const waiter of this.waiting) {
      if (this.held) return;
      const verdict = this.limits.verdict();
      if (verdict === 'wait') return;
      this.waiting.delete(waiter);
      if (verdict === undefined) waiter.enter();
      else waiter.reject(verdict);
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
    this.chained = undefined;
    this.pump();
  }

  private take(entry: Entry, payloads: readonly Uint8Array[] | undefined, signal: AbortSignal | undefined): Operation {
    const first = this.assigned + 1;
    entry.timestamp = this.limits.now();
    entry.epoch = Math.max(this.limits.epoch, this.epoch);
    if (payloads === undefined) {
      entry.sequence = first;
      this.add(entry, first);
    } else {
      const keyLength = entry.key?.byteLength ?? 0;
      for (const payload of payloads) {
        entry.payload = payload;
        entry.bytes = recordBytes(keyLength, payload.length);
        entry.sequence = this.assigned + 1;
        this.add(entry, first);
      }
    }
    return this.begin(first, 'append', signal);
  }

  private takeReplicated(entries: readonly ReplicatedEntry[]): Operation {
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
    const first = this.assigned + 1;
    const chain = this.chainThrough(entries);
    for (const entry of entries) this.add(entry, first);
    if (chain !== undefined) this.chained = { sequence: this.assigned, chain };
    return this.begin(first, 'appendReplicated', undefined);
  }

  /** The chain behind records that come with theirs; refuses them all if one differs. */
  private chainThrough(entries: readonly ReplicatedEntry[]): bigint | undefined {
    if (!entries.some((entry) => entry.chain !== undefined)) return undefined;
    let { chain } = this;
    if (chain === undefined) throw new Error('records with a chain are taken when the one before them is known');
    for (const entry of entries) {
      chain = this.link.after(chain, entry, entry.checksum);
      if (entry.chain !== undefined && entry.chain !== chain)
        throw new ChainMismatchError(entry.sequence, chain, entry.chain);
    }
    return chain;
  }

  /** A call's records go in whole: when one fails behind another, they have no owner, and the journal breaks. */
  private add(entry: Entry, first: number): void {
    try {
      this.writer.add(entry);
    } catch (error) {
      if (entry.sequence > first) this.state.fail(error);
      throw error;
    }
    this.assigned = entry.sequence;
    this.epoch = entry.epoch;
  }

  private begin(first: number, what: string, signal: AbortSignal | undefined): Operation {
    const operation = new Operation(first, this.assigned, what, signal);
    this.writer.push(operation);
    return operation;
  }

  /** Whether a call may give numbers now; throws when it may not at all. */
  private admits(what: string, signal: AbortSignal | undefined): boolean {
    const refusal = this.state.refusal;
    if (refusal !== undefined) throw refusal;
    if (signal?.aborted) throw new AbortedError(what, undefined, signal.reason);
    if (this.waiting.size > 0 || this.held) return false;
    const verdict = this.limits.verdict();
    if (verdict !== undefined && verdict !== 'wait') throw verdict;
    return verdict === undefined;
  }

  /** Lets `take` give numbers when its turn comes. */
  private wait(what: string, signal: AbortSignal | undefined, take: () => Operation): Promise<Operation> {
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

/** Memory that was transferred away while a call waited has no bytes any more. */
function contentBytes(payloads: readonly Uint8Array[], key: Uint8Array | undefined): number {
  let bytes = key?.byteLength ?? 0;
  for (const payload of payloads) bytes += payload.length;
  return bytes;
}

function memoryGone(): InvalidArgumentError {
  const given = 'memory that changed its size or its owner while the call waited';
  return new InvalidArgumentError('payload', given, 'a Uint8Array that is left alone until the call has settled');
}
