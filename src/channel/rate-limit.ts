import { integerOption } from '../options.js';

/** What a connection asks before it writes to its socket. */
export interface RateLimit {
  /** The most that one `take` is granted: about 5 ms of the rate. Infinity: nothing is limited and nobody has to ask. */
  readonly quantumBytes: number;
  /**
   * Resolves when bytes may go out, with how many: what was asked for, or less when that is more than `quantumBytes` has
   * become meanwhile. First come, first served. Rejects with ABORTED when `signal` fires first; that costs no tokens.
   */
  take(bytesMax: number, signal?: AbortSignal): Promise<number>;
  /** Counts bytes that went out without having been asked for, which those that ask later wait for; fewer than 0 give back. */
  charge(bytes: number): void;
}

/** The sizes by which bytes on a socket become bytes on the link. */
export interface LinkCost {
  /** What the headers of a segment take on the link, in bytes. */
  overheadBytes: number;
  /** The payload of a full segment, in bytes. */
  segmentBytes: number;
}

/** Up to what a tunnel within a tunnel over IPv6 with all its options takes. */
export const OVERHEAD_BYTES = { min: 0, max: 200, default: 0 };
export const LINK_SEGMENT_BYTES = { min: 500, max: 9000, default: 1460 };

export function linkCost({ overheadBytes, segmentBytes }: Partial<LinkCost>): LinkCost {
  return {
    overheadBytes: integerOption('linkOverhead', overheadBytes, OVERHEAD_BYTES),
    segmentBytes: integerOption('linkSegmentBytes', segmentBytes, LINK_SEGMENT_BYTES),
  };
}
