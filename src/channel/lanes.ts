import { KIB, MIB } from '../options.js';
import { FrameType } from './messages.js';

/**
 * What belongs where. A session has two lanes in each direction: `data`, whose frames take credit, and `control`, whose few
 * small frames overtake them. Each lane is in order for itself. Everything else belongs to the connection that it comes on.
 */
export type Lane = 'data' | 'control';

const LANES: ReadonlyMap<number, Lane> = new Map<number, Lane>([
  [FrameType.batch, 'data'],
  [FrameType.reply, 'data'],
  [FrameType.ack, 'control'],
  [FrameType.notice, 'control'],
  [FrameType.query, 'control'],
  [FrameType.miss, 'control'],
]);

/** Undefined for types that belong to a connection. */
export function laneOf(type: number): Lane | undefined {
  return LANES.get(type);
}

/** The largest message: what a batch of one record of the largest size can take. */
export const MESSAGE_BYTES_MAX = 20 * MIB;
export const CONTROL_BODY_BYTES_MAX = 64 * KIB;
/** Control frames that are not acknowledged yet; who has more of them is not being read. */
export const CONTROL_BYTES_MAX = MIB;
export const CONTROL_FRAMES_MAX = 1024;

/** What a frame counts beside its body: about what it takes in memory, so that many small ones do not get by the bound. */
const FRAME_COST_BYTES = 256;

/** What a frame of the data lane takes of the credit. */
export function costOf(bodyLength: number): number {
  return FRAME_COST_BYTES + bodyLength;
}

/** What all control frames that are not taken out yet may cost together. */
export const CONTROL_WINDOW_BYTES = CONTROL_BYTES_MAX + CONTROL_FRAMES_MAX * FRAME_COST_BYTES;
