import { AbortedError } from '../errors.js';
import { KIB } from '../options.js';

/** A peer as far as it matters here. */
export interface AdmissionPeer {
  readonly isStreaming: boolean;
  /** Every record up to this one has been handed to the network. */
  readonly handedOver: number;
  /** Payload bytes that go out in a millisecond while there is enough to do; undefined until that was seen. */
  readonly bytesPerMs: number | undefined;
  readonly roundTripMs: number | undefined;
}

/** Bulk may be ahead of the link by a quarter of a round trip, within these bounds: enough to keep it busy, and no more. */
const AHEAD_MS = { min: 8, max: 50 };
const AHEAD_ROUND_TRIPS = 1 / 4;
/** Less than this would leave the link idle between two turns; and it is what is allowed until the rate is known. */
const AHEAD_BYTES_MIN = 16 * KIB;
const AHEAD_BYTES_START = 64 * KIB;

interface Waiter {
  bytes: number;
  resolve: () => void;
}

/**
 * Keeps bulk out of the way: records that nobody waits for enter the queue only as fast as the fastest peer takes them, so that
 * a record which somebody waits for finds little before it. There is one order, so this is the only place where one record
 * can be preferred to another.
 *
 * Without a session nothing is held back: then the queue's own bound counts.
 */
export class Admission {
  readonly #peers: () => Iterable<AdmissionPeer>;
  /** Bulk that is not with the network yet, oldest first. */
  readonly #ahead: { sequence: number; bytes: number }[] = [];
  #aheadBytes = 0;
  readonly #waiters: Waiter[] = [];

  constructor(peers: () => Iterable<AdmissionPeer>) {
    this.#peers = peers;
  }

  /** Undefined when a record of that size may enter at once; otherwise resolves when it may, in the order of the calls. */
  admit(bytes: number, signal?: AbortSignal): Promise<void> | undefined {
    if (this.#waiters.length === 0 && this.#hasRoom(bytes)) {
      this.#aheadBytes += bytes;
      return undefined;
    }
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        const index = this.#waiters.indexOf(waiter);
        if (index >= 0) this.#waiters.splice(index, 1);
        reject(new AbortedError('append', undefined, signal?.reason));
      };
      const waiter = {
        bytes,
        resolve: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      this.#waiters.push(waiter);
      if (signal?.aborted === true) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** A record that was admitted has its number. */
  entered(sequence: number, bytes: number): void {
    this.#ahead.push({ sequence, bytes });
    this.progress();
  }

  /** One that was admitted did not enter after all. */
  failed(bytes: number): void {
    this.#aheadBytes -= bytes;
    this.progress();
  }

  /** Peers have got along, or have come or gone. */
  progress(): void {
    const fastest = this.#fastest();
    const handedOver = fastest?.handedOver ?? Number.POSITIVE_INFINITY;
    let taken = 0;
    for (const { sequence, bytes } of this.#ahead) {
      if (sequence > handedOver) break;
      this.#aheadBytes -= bytes;
      taken++;
    }
    this.#ahead.splice(0, taken);
    while (this.#waiters.length > 0 && this.#hasRoom(this.#waiters[0]?.bytes ?? 0)) {
      const waiter = this.#waiters.shift() as Waiter;
      this.#aheadBytes += waiter.bytes;
      waiter.resolve();
    }
  }

  /** One record may always enter, whatever its size. */
  #hasRoom(bytes: number): boolean {
    if (this.#aheadBytes <= 0) return true;
    const fastest = this.#fastest();
    return fastest === undefined || this.#aheadBytes + bytes <= allowance(fastest);
  }

  /** The one that is furthest: no peer is held back by another. */
  #fastest(): AdmissionPeer | undefined {
    let fastest: AdmissionPeer | undefined;
    for (const peer of this.#peers()) {
      if (peer.isStreaming && (fastest === undefined || peer.handedOver > fastest.handedOver)) fastest = peer;
    }
    return fastest;
  }
}

function allowance({ bytesPerMs, roundTripMs = 0 }: AdmissionPeer): number {
  if (bytesPerMs === undefined) return AHEAD_BYTES_START;
  const aheadMs = Math.min(AHEAD_MS.max, Math.max(AHEAD_MS.min, roundTripMs * AHEAD_ROUND_TRIPS));
  return Math.max(AHEAD_BYTES_MIN, bytesPerMs * aheadMs);
}
