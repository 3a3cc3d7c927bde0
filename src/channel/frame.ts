import { checksum64 } from '../engine/checksum.js';
import { ProtocolError } from '../errors.js';
import { KIB, MIB } from '../options.js';

/**
 * The frame: a header of 48 bytes, little endian, then the body. docs/protocol.md ("Frames") has the offset table.
 *
 * The header has a checksum of its own, so that a length is believed before the body has come in; the body's checksum
 * covers the way from the sender's memory to the receiver's. Neither protects against a peer that means harm: bounds
 * do.
 *
 * Frames of session 0 belong to one connection and are numbered on it, from 0 in the order of the wire. All others belong
 * to a lane of a session, whose frames go over any of its connections and are put back in order by their numbers; several
 * of them may be fragments of one message.
 */

export const FRAME_MAGIC = 0x3146_484c; // "LHF1" as bytes
export const FRAME_HEADER_BYTES = 48;
/** Bodies of messages are cut into fragments, none longer than this. */
export const FRAGMENT_BYTES_MAX = MIB;
/** And none shorter than this, but for the last one of a message. */
export const FRAGMENT_BYTES_MIN = 4 * KIB;
export const FRAME_BYTES_MAX_DEFAULT = FRAME_HEADER_BYTES + FRAGMENT_BYTES_MAX;
/** The limit until the peer has proved what it is: a stranger can make this end hold no more. */
export const FRAME_BYTES_MAX_BEFORE_HANDSHAKE = 64 * KIB;

/** Where each field of the header lies. */
export const FRAME_OFFSETS = {
  magic: 0,
  type: 4,
  flags: 5,
  reserved: 6,
  generation: 8,
  bodyLength: 12,
  session: 16,
  frameNumber: 24,
  bodyChecksum: 32,
  headerChecksum: 40,
} as const;

/** More fragments of the same message follow. */
export const FLAG_MORE = 1;
/** It went over another connection before, and may have arrived. */
export const FLAG_AGAIN = 2;
const FLAGS = FLAG_MORE | FLAG_AGAIN;
/** Session of the frames that belong to a connection alone. */
export const NO_SESSION = 0n;

/** Types that belong to the connection itself and never reach its owner. */
export const FRAME_PING = 1;
export const FRAME_PONG = 2;

export interface FrameHeader {
  type: number;
  /** FLAG_MORE, FLAG_AGAIN; 0 in frames of session 0. */
  flags: number;
  generation: number;
  bodyLength: number;
  session: bigint;
  frameNumber: number;
  bodyChecksum: bigint;
}

export interface Frame extends FrameHeader {
  body: Buffer;
}

const at = FRAME_OFFSETS;
const UINT32_RANGE = 0x1_0000_0000;

/** Writes the header to the start of `into`, which has at least FRAME_HEADER_BYTES; returns `into`. */
export function encodeFrameHeader(header: FrameHeader, into: Buffer = Buffer.allocUnsafe(FRAME_HEADER_BYTES)): Buffer {
  into.writeUInt32LE(FRAME_MAGIC, at.magic);
  into.writeUInt8(header.type, at.type);
  into.writeUInt8(header.flags, at.flags);
  into.writeUInt16LE(0, at.reserved);
  into.writeUInt32LE(header.generation, at.generation);
  into.writeUInt32LE(header.bodyLength, at.bodyLength);
  into.writeBigUInt64LE(header.session, at.session);
  into.writeUInt32LE(header.frameNumber % UINT32_RANGE, at.frameNumber);
  into.writeUInt32LE(Math.floor(header.frameNumber / UINT32_RANGE), at.frameNumber + 4);
  into.writeBigUInt64LE(header.bodyChecksum, at.bodyChecksum);
  into.writeBigUInt64LE(checksum64(into.subarray(0, at.headerChecksum)), at.headerChecksum);
  return into;
}

/** Reads and checks a header; `frameBytesMax` bounds header and body together. */
export function decodeFrameHeader(bytes: Buffer, frameBytesMax: number): FrameHeader {
  const magic = bytes.readUInt32LE(at.magic);
  if (magic !== FRAME_MAGIC) throw new ProtocolError(`frame begins with 0x${magic.toString(16)}`, 'a Longhaul frame');
  if (bytes.readBigUInt64LE(at.headerChecksum) !== checksum64(bytes.subarray(0, at.headerChecksum))) {
    throw new ProtocolError('frame header with a wrong checksum', 'an undamaged header');
  }
  const flags = bytes.readUInt8(at.flags);
  const session = bytes.readBigUInt64LE(at.session);
  const known = session === NO_SESSION ? 0 : FLAGS;
  if ((flags & ~known) !== 0 || bytes.readUInt16LE(at.reserved) !== 0) {
    throw new ProtocolError(`frame header with flags 0x${flags.toString(16)}`, 'known flags, and zero where reserved');
  }
  const bodyLength = bytes.readUInt32LE(at.bodyLength);
  if (FRAME_HEADER_BYTES + bodyLength > frameBytesMax) {
    throw new ProtocolError(`frame of ${FRAME_HEADER_BYTES + bodyLength} bytes`, `at most ${frameBytesMax}`);
  }
  const frameNumber = bytes.readUInt32LE(at.frameNumber + 4) * UINT32_RANGE + bytes.readUInt32LE(at.frameNumber);
  if (!Number.isSafeInteger(frameNumber)) throw new ProtocolError(`frame number ${frameNumber}`, 'below 2^53');
  return {
    type: bytes.readUInt8(at.type),
    flags,
    generation: bytes.readUInt32LE(at.generation),
    bodyLength,
    session,
    frameNumber,
    bodyChecksum: bytes.readBigUInt64LE(at.bodyChecksum),
  };
}
