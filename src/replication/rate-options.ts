import { type LinkCost, linkCost } from '../channel/rate-limit.js';
import { type Schedule, WeeklySchedule } from '../channel/schedule.js';
import { parseRate } from '../options.js';

/** What may go out how fast, of a sender or of one of its peers. */
export interface RateOptions {
  /**
   * Ceiling of all bytes on the wire: bytes per second or text such as `20mbit` (default none). Both hold, that of the
   * sender for all peers together and that of a peer for all its connections.
   */
  rate?: number | string;
  /** Other ceilings by the time of the week; where no rule holds, `rate` does. */
  schedule?: Schedule;
}

/** What the line adds to the bytes of a sender. */
export interface LinkOverheadOptions {
  /**
   * Bytes that the line adds to each segment and that rates include, 0 to 200 (default 0): 40 for IPv4 with TCP, 52 with
   * its timestamps, 18 more for Ethernet, about 60 more in WireGuard.
   */
  linkOverhead?: number;
  /** Payload of a full segment, in bytes, 500 to 9,000 (default 1,460). Counts only beside `linkOverhead`. */
  linkSegmentBytes?: number;
}

export interface ResolvedRate {
  /** Infinity: no limit. */
  rateBytesPerSecond: number;
  schedule: WeeklySchedule | undefined;
}

/** Checks the options of a sender (`prefix` is empty) or of a peer. */
export function resolveRate(prefix: string, options: RateOptions): ResolvedRate {
  return {
    rateBytesPerSecond: resolveCeiling(`${prefix}rate`, options.rate),
    schedule: resolveSchedule(`${prefix}schedule`, options.schedule),
  };
}

/** Infinity when there is none. */
export function resolveCeiling(name: string, rate: number | string | undefined): number {
  return rate === undefined ? Number.POSITIVE_INFINITY : parseRate(name, rate);
}

export function resolveSchedule(name: string, schedule: Schedule | undefined): WeeklySchedule | undefined {
  return schedule === undefined ? undefined : new WeeklySchedule(name, schedule);
}

export function resolveLinkCost({ linkOverhead, linkSegmentBytes }: LinkOverheadOptions): LinkCost {
  return linkCost({
    ...(linkOverhead === undefined ? {} : { overheadBytes: linkOverhead }),
    ...(linkSegmentBytes === undefined ? {} : { segmentBytes: linkSegmentBytes }),
  });
}
