import type { Program, ProgramOptions } from '../kit/program.js';

/** A link with a program at either end, whatever makes the link. */
export type End = 'near' | 'far';

export interface LinkConditions {
  rateMbit: number;
  /** There and back. */
  roundTripMs: number;
  lossPercent: number;
  /** What may wait at the link in each direction; default one round trip at its rate, at least 64 KiB. */
  queueBytes?: number;
}

export interface Link {
  /** What is emulated, and how. */
  readonly describe: string;
  /** What programs of the far end listen on. */
  readonly farHost: string;
  /** Starts a program that has the network of that end. */
  run(end: End, name: string, command: string, args: readonly string[], options?: ProgramOptions): Program;
  /** Where programs of the near end reach what listens at the far one. */
  reach(port: number): Promise<{ host: string; port: number }>;
  /** What the link has counted, with the intervals since the last report; undefined where it counts nothing. */
  report(): Promise<LinkReport | undefined>;
  close(): Promise<void>;
}

export interface LinkReport {
  seconds: number;
  /** Packets that the emulator did not read in time: above 0 it was not up to its task. */
  overruns: Record<End, number>;
  intervalMs: number;
  /** Both directions of each path. */
  lanes: LaneReport[];
}

export interface LaneReport {
  path: number;
  from: End;
  passed: PacketCount;
  /** Contents of TCP segments, repeated ones included. */
  passedPayloadBytes: number;
  /** By chance, because the queue was full, because the link was down, or not taken by the device at the other end. */
  lost: PacketCount;
  queueFull: PacketCount;
  cut: PacketCount;
  refused: PacketCount;
  queueMsMax: number;
  /** How much later than it should a packet came out: the emulator's own error. */
  latenessMsMax: number;
  latenessMsMean: number;
  /** Bytes of each interval, from interval `firstInterval` of this link on. */
  firstInterval: number;
  offeredBytes: number[];
  offeredPayloadBytes: number[];
  passedBytes: number[];
}

export interface PacketCount {
  packets: number;
  /** Of IP packets, headers included. */
  bytes: number;
}

export function laneFrom(report: LinkReport, from: End, path = 0): LaneReport {
  const lane = report.lanes.find((one) => one.from === from && one.path === path);
  if (lane === undefined) throw new Error(`the link has no path ${path}`);
  return lane;
}
