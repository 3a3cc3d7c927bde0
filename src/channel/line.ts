import { MIB } from '../options.js';
import type { Member } from './member.js';

/** What the system has measured on the connections of a channel. */
export interface LineState {
  /** The part of the bytes that were sent again in the last while. */
  lossPart: number;
  /** How much longer a round trip takes than the shortest one, on the connection of them all where that is least. */
  queueMs: number;
  /** Bytes that went out since the last measurement, and of them what was sent again. */
  sentBytes: number;
  resentBytes: number;
}

interface Counted {
  sentBytes: number;
  retransmittedBytes: number;
}

/** From this part of the bytes on, sent again by the system, a line counts as one that loses. */
export const LOSS_PART = 0.002;
/** Each measurement counts for this much beside those before, and less when it is one of fewer bytes than this part of them. */
const SMOOTHING = 1 / 4;
const COUNTED_BYTES = MIB;

/** Watches the connections that carry something through what the system tells of them. */
export class Line {
  readonly #members: Iterable<Member>;
  readonly #counted = new WeakMap<Member, Counted>();
  #lossPart = 0;

  constructor(members: Iterable<Member>) {
    this.#members = members;
  }

  /** Whether packets are lost on it, as far as the system tells. */
  get loses(): boolean {
    return this.#lossPart > LOSS_PART;
  }

  /** What came since the last call counts. Undefined where the system does not tell. */
  measure(): LineState | undefined {
    let queueMs: number | undefined;
    const total = { sentBytes: 0, resentBytes: 0 };
    for (const member of this.#members) {
      const { rttUs, minRttUs, sentBytes, retransmittedBytes } = member.connection.tcpInfo ?? {};
      if (rttUs === undefined || minRttUs === undefined) continue;
      if (sentBytes === undefined || retransmittedBytes === undefined) continue;
      const before = this.#counted.get(member) ?? { sentBytes: 0, retransmittedBytes: 0 };
      this.#counted.set(member, { sentBytes, retransmittedBytes });
      total.sentBytes += sentBytes - before.sentBytes;
      total.resentBytes += retransmittedBytes - before.retransmittedBytes;
      // One that carries nothing remembers the round trips of an earlier time.
      if (sentBytes > before.sentBytes) queueMs = Math.min(queueMs ?? Infinity, (rttUs - minRttUs) / 1000);
    }
    if (queueMs === undefined) return undefined;
    const part = total.resentBytes / Math.max(1, total.sentBytes);
    this.#lossPart += (part - this.#lossPart) * Math.min(SMOOTHING, total.sentBytes / COUNTED_BYTES);
    return { lossPart: this.#lossPart, queueMs, ...total };
  }
}
