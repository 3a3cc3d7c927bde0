import { BaseDelay } from './base-delay.js';
import type { Member } from './member.js';

/** What round trips have taken since they were looked at before. */
export interface RoundTrip {
  /** Without a queue. */
  baseMs: number;
  /** How much longer than that. */
  queueMs: number;
  /** Payload of a full segment: 1,460 or so on a line, and 64 KiB on loopback. */
  segmentBytes: number;
}

/** What the system told of a connection before. */
interface Told {
  minRttUs: number;
  ackedBytes: number;
  retransmittedBytes: number;
}

/** Of a path since the last look: round trips times bytes, what was acknowledged, and the largest segment. */
interface Acknowledged {
  weightedMs: number;
  bytes: number;
  segmentBytes: number;
}

/** Where the system does not tell. */
export const SEGMENT_BYTES = 1460;

/**
 * The system's own round trips. They begin when a segment leaves and end when its acknowledgement is there: what waits in
 * either process, or for a lost packet to be sent again, is not in them.
 */
export class RoundTrips {
  readonly #members: Iterable<Member>;
  readonly #told = new WeakMap<Member, Told>();
  /** By path. */
  readonly #bases = new Map<number, BaseDelay>();
  #isTold = false;

  constructor(members: Iterable<Member>) {
    this.#members = members;
  }

  /** Whether the system tells them, as far as was seen. */
  get isTold(): boolean {
    return this.#isTold;
  }

  /**
   * Of the path with the longest queue; undefined where nothing was acknowledged since the last look. `isResting` while next to
   * nothing is being sent.
   */
  look(nowMs: number, isResting: boolean): RoundTrip | undefined {
    let longest: RoundTrip | undefined;
    for (const [path, { weightedMs, bytes, segmentBytes }] of this.#measure(nowMs)) {
      const base = this.#base(path);
      const delayMs = weightedMs / bytes;
      base.note(delayMs, nowMs);
      if (isResting) base.rest(delayMs, nowMs);
      else base.disturb();
      const roundTrip = { baseMs: base.ms, queueMs: delayMs - base.ms, segmentBytes };
      if (longest === undefined || roundTrip.queueMs > longest.queueMs) longest = roundTrip;
    }
    return longest;
  }

  /** By path: the mean of its connections, each as much as was acknowledged on it. */
  #measure(nowMs: number): Map<number, Acknowledged> {
    const paths = new Map<number, Acknowledged>();
    for (const member of this.#members) {
      const {
        rttUs,
        minRttUs,
        ackedBytes,
        retransmittedBytes,
        segmentBytes = SEGMENT_BYTES,
      } = member.connection.tcpInfo ?? {};
      if (rttUs === undefined || minRttUs === undefined) continue;
      if (ackedBytes === undefined || retransmittedBytes === undefined) continue;
      this.#isTold = true;
      const before = this.#told.get(member);
      this.#told.set(member, { minRttUs, ackedBytes, retransmittedBytes });
      const base = this.#base(member.path);
      // The system remembers for minutes; only what is new to us is of now.
      if (minRttUs !== before?.minRttUs) base.note(minRttUs / 1000, nowMs);
      if (before !== undefined && retransmittedBytes > before.retransmittedBytes) base.disturb();
      const bytes = ackedBytes - (before?.ackedBytes ?? 0);
      if (bytes <= 0) continue;
      const sum = paths.get(member.path) ?? { weightedMs: 0, bytes: 0, segmentBytes: 0 };
      paths.set(member.path, {
        weightedMs: sum.weightedMs + (rttUs / 1000) * bytes,
        bytes: sum.bytes + bytes,
        segmentBytes: Math.max(sum.segmentBytes, segmentBytes),
      });
    }
    return paths;
  }

  #base(path: number): BaseDelay {
    let base = this.#bases.get(path);
    if (base === undefined) {
      base = new BaseDelay();
      this.#bases.set(path, base);
    }
    return base;
  }
}
