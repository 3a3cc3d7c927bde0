import { FLAG_MORE, type Frame } from '../../src/channel/frame.js';
import { FrameType } from '../../src/channel/messages.js';
import { type OutgoingFrame, OutgoingLane, type OutgoingOptions } from '../../src/channel/outgoing.js';
import { checksum64 } from '../../src/engine/checksum.js';

/** Frames of a lane without a connection beneath them. */

export const SESSION = 7n;
const { POSITIVE_INFINITY } = Number;

/** As the other end gets it. */
export function received(frame: OutgoingFrame): Frame {
  const { parts, ...header } = frame;
  return { ...header, body: Buffer.concat(parts) };
}

export function frameOf(frameNumber: number, body: Buffer = Buffer.alloc(0), o: Partial<Frame> = {}): Frame {
  const bodyChecksum = checksum64(body);
  const whole = { type: FrameType.batch, flags: 0, generation: 0, session: SESSION, bodyLength: body.byteLength };
  return { ...whole, frameNumber, bodyChecksum, body, ...o };
}

export const fragmentOf = (frameNumber: number, body: Buffer, o: Partial<Frame> = {}): Frame =>
  frameOf(frameNumber, body, { flags: FLAG_MORE, ...o });

/** A lane that nothing bounds, unless the test says so. */
export function outgoingLane(o: Partial<OutgoingOptions<string>> = {}): OutgoingLane<string> {
  const endless = { creditBytes: POSITIVE_INFINITY, unconfirmedBytesMax: () => POSITIVE_INFINITY };
  return new OutgoingLane<string>({ session: SESSION, ...endless, now: () => 0, onArrived: () => {}, ...o });
}

/** Sends it, and says how that went. */
export function push(lane: OutgoingLane<string>, ...parts: Uint8Array[]): { sent: boolean; error?: unknown } {
  const outcome: { sent: boolean; error?: unknown } = { sent: false };
  const settle = (error?: unknown): void => {
    if (error === undefined) outcome.sent = true;
    else outcome.error = error;
  };
  lane.push({ type: FrameType.batch, generation: 0, parts, settle });
  return outcome;
}
