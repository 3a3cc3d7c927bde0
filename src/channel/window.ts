import { ByteReader, ByteWriter } from '../engine/bytes.js';
import { ProtocolError } from '../errors.js';
import type { FrameRange } from './arrived-frames.js';

/**
 * WINDOW: what has arrived of the peer's lanes, and how much more of the data lane it may send. All of it only grows, so the
 * newest says everything and may come over any connection, in any order.
 */
export interface Window {
  /** Every frame of the data lane below this number has arrived. */
  dataNext: number;
  controlNext: number;
  /** What all frames of the data lane may cost together, from the session's first on (`costOf`). */
  creditBytes: number;
  /** Frames of the data lane beyond `dataNext` that have arrived, in order; as many ranges as fit. */
  arrived: FrameRange[];
}

export const ARRIVED_RANGES_MAX = 256;

export function encodeWindow({ dataNext, controlNext, creditBytes, arrived }: Window): Buffer {
  const writer = new ByteWriter().varint(dataNext).varint(controlNext).varint(creditBytes);
  const ranges = arrived.slice(0, ARRIVED_RANGES_MAX);
  writer.varint(ranges.length);
  let end = dataNext;
  for (const { from, to } of ranges) {
    writer.varint(from - end).varint(to - from);
    end = to + 1;
  }
  return writer.take();
}

export function decodeWindow(body: Buffer): Window {
  const reader = new ByteReader(body, 'WINDOW');
  const [dataNext, controlNext, creditBytes] = [reader.varint(), reader.varint(), reader.varint()];
  let end = dataNext;
  const arrived = Array.from({ length: reader.varint(ARRIVED_RANGES_MAX) }, () => {
    const from = end + reader.varint();
    const to = from + reader.varint();
    end = to + 1;
    if (!Number.isSafeInteger(end)) throw new ProtocolError(`frames that arrived up to ${to}`, 'numbers below 2^53');
    return { from, to };
  });
  reader.end();
  return { dataNext, controlNext, creditBytes, arrived };
}
