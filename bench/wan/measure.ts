import { setTimeout as pause } from 'node:timers/promises';
import type { Latencies } from '../kit/latencies.js';
import { syncTimes } from '../kit/sync-time.js';
import type { Workspace } from '../kit/workspace.js';
import { type Link, type LinkReport, laneFrom } from './link.js';
import { RECORD_BYTES } from './load.js';
import { type Marks, OwnEnds } from './own-ends.js';
import { bytesPerSecond, type Profile, roundTripBytes } from './profiles.js';
import { type ShapingError, shapingError } from './shaping.js';

/** What Longhaul does on one link. */

export interface MeasureOptions {
  /** Of each measurement of goodput. */
  seconds: number;
  /** Records that are timed, at most; no new one is begun after four times the seconds. */
  samples: number;
}

export interface OwnFigures {
  /** Of an idle disk, beside which the latencies are to be read. */
  sync: Latencies;
  idle: Latencies;
  full: Latencies;
  /** Random payload that was logged, per second: after the warm-up, and from the start to the end of the same time. */
  goodputMbit: number;
  goodputFromStartMbit: number;
  senderCpuSecondsPerGb: number;
  receiverCpuSecondsPerGb: number;
  senderEventLoopDelayP99Ms: number;
  receiverEventLoopDelayP99Ms: number;
  /** With the rate set to half of the link; undefined where the link counts nothing, or for too short a time. */
  shaping: ShapingError | undefined;
}

const SECONDS_MIN = 10;
const MEASURED_ROUND_TRIPS = 30;
const WARM_UP_ROUND_TRIPS = 20;
const WARM_UP_SECONDS_MIN = 2;
const WINDOW_ROUND_TRIPS = 6;
const WINDOW_MORE_SECONDS = 0.2;
const WINDOW_RECORDS_MIN = 4;
const SYNCS = 200;
/** Five whole ones are looked at together. */
const SHAPING_SECONDS_MIN = 6;

/** Long enough for a link whose round trips are long. */
export function secondsOf({ roundTripMs }: Profile): number {
  return Math.max(SECONDS_MIN, (MEASURED_ROUND_TRIPS * roundTripMs) / 1000);
}

/** Some round trips, for congestion control to find the link's rate. */
export function warmUpSeconds({ roundTripMs }: Profile, { seconds }: MeasureOptions): number {
  return Math.min(seconds, Math.max(WARM_UP_SECONDS_MIN, (WARM_UP_ROUND_TRIPS * roundTripMs) / 1000));
}

/**
 * What is appended and not yet logged while the link is filled: as much as is never used up. Records are logged in order, and
 * one that is lost twice arrives after three round trips, with everything behind it. It is all bulk, so what is too much of it
 * waits in admission, and no record that somebody waits for finds more before it.
 */
export function windowBytesOf(profile: Profile): number {
  const bytes = WINDOW_ROUND_TRIPS * roundTripBytes(profile) + WINDOW_MORE_SECONDS * bytesPerSecond(profile);
  return Math.max(Math.round(bytes), WINDOW_RECORDS_MIN * RECORD_BYTES);
}

export async function measureOwn(
  work: Workspace,
  link: Link,
  profile: Profile,
  o: MeasureOptions,
): Promise<OwnFigures> {
  const sync = syncTimes(work.dir, SYNCS);
  const windowBytes = windowBytesOf(profile);
  const ends = await OwnEnds.open(work, link, { windowBytes });
  const bound = { samples: o.samples, seconds: 4 * o.seconds };
  const idle = await ends.probe(bound);
  const begun = await ends.mark();
  ends.fill();
  await pause(warmUpSeconds(profile, o) * 1000);
  const [before, after] = await ends.during(o.seconds);
  const full = await ends.probe({ ...bound, everyMs: (o.seconds * 1000) / o.samples });
  await ends.close();
  const shaping = await measureShaping(work, link, profile, o);
  return { sync, idle, full, ...goodput(begun, before, after), shaping };
}

function goodput(begun: Marks, before: Marks, after: Marks) {
  const gigabytes = (after.sender.loggedBytes - before.sender.loggedBytes) / 1e9;
  const perGb = (end: 'sender' | 'receiver') => (after[end].cpuSeconds - before[end].cpuSeconds) / gigabytes;
  return {
    goodputMbit: mbitBetween(before, after),
    goodputFromStartMbit: mbitBetween(begun, after),
    senderCpuSecondsPerGb: perGb('sender'),
    receiverCpuSecondsPerGb: perGb('receiver'),
    senderEventLoopDelayP99Ms: after.sender.eventLoopDelayP99Ms,
    receiverEventLoopDelayP99Ms: after.receiver.eventLoopDelayP99Ms,
  };
}

function mbitBetween({ sender: before }: Marks, { sender: after }: Marks): number {
  return ((after.loggedBytes - before.loggedBytes) * 8) / 1e6 / (after.seconds - before.seconds);
}

/** The rate at half of the link, so that nothing but the sender holds it. */
async function measureShaping(
  work: Workspace,
  link: Link,
  profile: Profile,
  o: MeasureOptions,
): Promise<ShapingError | undefined> {
  if ((await link.report()) === undefined) return undefined;
  const rateBytesPerSecond = bytesPerSecond(profile) / 2;
  const ends = await OwnEnds.open(work, link, { windowBytes: windowBytesOf(profile), rateBytesPerSecond });
  ends.fill();
  await pause(warmUpSeconds(profile, o) * 1000);
  await link.report();
  await pause(Math.max(o.seconds, SHAPING_SECONDS_MIN) * 1000);
  const report = await link.report();
  await ends.close();
  return report === undefined ? undefined : shapingOf(report, rateBytesPerSecond);
}

/** Of the contents of TCP segments, as they came to the link: that is what a sender counts. */
function shapingOf(report: LinkReport, rateBytesPerSecond: number): ShapingError | undefined {
  // The first and the last interval were not whole.
  const bytes = laneFrom(report, 'near').offeredPayloadBytes.slice(1, -1);
  return shapingError(bytes, report.intervalMs, rateBytesPerSecond);
}
