import { ByteReader, ByteWriter } from '../engine/bytes.js';
import type { Capability } from '../engine/capability.js';
import { WINDOW_LOG } from '../engine/zstd-arguments.js';
import { ProtocolError } from '../errors.js';

/**
 * The bodies of the frames between two nodes; docs/protocol.md has their tables. PING and PONG (types 1 and 2) belong
 * to the connection. The head of HELLO (name, version range) stays the same in every version of the protocol, so that
 * two releases that cannot work together can at least say so.
 */
export const FrameType = {
  hello: 3,
  welcome: 4,
  refuse: 5,
  start: 6,
  ready: 7,
  batch: 8,
  ack: 9,
  notice: 10,
  query: 11,
  reply: 12,
  miss: 13,
  join: 14,
  joined: 15,
  window: 16,
  end: 17,
} as const;

export const PROTOCOL_NAME = 'longhaul';
export const PROTOCOL_VERSION = 1;
export const PROTOCOL_VERSION_MIN = 1;

/** Volume ids, and those of nodes that a state directory keeps: 16 bytes, in memory as 32 hex digits. */
export const ID_BYTES = 16;
export const TOKEN_BYTES = 16;
/** Ids of nodes that have an identity: its fingerprint. */
export const FINGERPRINT_BYTES = 32;
/** A REPLY carries at most this much. */
export const REPLY_BYTES_MAX = 256 * 1024;
export const QUERY_BYTES_MAX = 4 * 1024;
const TEXT_BYTES_MAX = 1024;
/** The most ranges of lost records that a MISS names. */
export const LOST_RANGES_MAX = 256;

export interface Hello {
  versionMin: number;
  versionMax: number;
  node: string;
  volume: string;
  epoch: number;
  last: number;
  adopt: boolean;
}

export interface Welcome {
  version: number;
  node: string;
  /** Absent when the receiver has never held a volume. */
  volume?: string;
  epoch: number;
  /** The oldest record that the log holds; last + 1 for none. */
  first: number;
  /** What the log keeps as history, in bytes. */
  historyBytes: number;
  last: number;
  chain: bigint;
  applied: number;
  adopt: boolean;
  /** The replica holds content that no record of this log brought (an adopted directory). */
  holdsContent: boolean;
  restores: Capability;
  /** Identifies the session that comes of this greeting; not 0. */
  session: bigint;
  /** Proves of a further connection that it belongs to the session. */
  token: Buffer;
  /** What the sender may send of the data lane before it is granted more (`costOf`). */
  windowBytes: number;
}

const RESTORES_LZ4 = 1;
const RESTORES_ZSTD = 2;

export interface Start {
  from: number;
  /** Chain before `from`. */
  chain: bigint;
  /** The receiver drops its log and begins at `from`. */
  reset: boolean;
  /** What the receiver may send of the data lane before it is granted more. */
  windowBytes: number;
}

export interface Refusal {
  code: string;
  message: string;
  recoverable: boolean;
}

export interface Ack {
  logged: number;
  applied: number;
}

/** A batch could not be restored: the records it refers to are not there, or not what they were. */
export interface Miss {
  /** Of the frame that the batch came in. */
  generation: number;
  /** The first record that is asked for anew, in the next generation. */
  next: number;
  /** The records of history that cannot be read; none when nobody knows which of them. */
  lost: { from: number; to: number }[];
}

export interface Query {
  id: number;
  name: string;
  body: Buffer;
}

export type ReplyStatus = 'data' | 'end' | 'failed';
const REPLY_STATUS: readonly ReplyStatus[] = ['data', 'end', 'failed'];

export interface Reply {
  id: number;
  status: ReplyStatus;
  body: Buffer;
}

export const encodeHello = (m: Hello): Buffer =>
  new ByteWriter()
    .text(PROTOCOL_NAME)
    .u16(m.versionMin)
    .u16(m.versionMax)
    .bytes(idBytes(m.node))
    .raw(idBytes(m.volume))
    .varint(m.epoch)
    .varint(m.last)
    .u8(m.adopt ? 1 : 0)
    .take();

/** The version range alone, which every version of the protocol can read. */
export function decodeHelloVersions(body: Buffer): { versionMin: number; versionMax: number; rest: ByteReader } {
  const rest = new ByteReader(body, 'HELLO');
  const name = rest.text(PROTOCOL_NAME.length);
  if (name !== PROTOCOL_NAME) throw new ProtocolError(`a greeting from ${JSON.stringify(name)}`, PROTOCOL_NAME);
  return { versionMin: rest.u16(), versionMax: rest.u16(), rest };
}

export function decodeHello(body: Buffer): Hello {
  const { versionMin, versionMax, rest } = decodeHelloVersions(body);
  const hello = {
    versionMin,
    versionMax,
    node: readNodeId(rest),
    volume: readId(rest),
    epoch: rest.varint(),
    last: rest.varint(),
    adopt: readFlag(rest),
  };
  // A newer release may have more to say; what it says beyond this is for others of its kind.
  if (versionMax <= PROTOCOL_VERSION) rest.end();
  return hello;
}

export function encodeWelcome(m: Welcome): Buffer {
  const writer = new ByteWriter()
    .u16(m.version)
    .bytes(idBytes(m.node))
    .u8(m.volume === undefined ? 0 : 1);
  if (m.volume !== undefined) writer.raw(idBytes(m.volume));
  writer.varint(m.epoch).varint(m.first).varint(m.historyBytes).varint(m.last).u64(m.chain).varint(m.applied);
  return writer
    .u8(m.adopt ? 1 : 0)
    .u8(m.holdsContent ? 1 : 0)
    .u8((m.restores.lz4 ? RESTORES_LZ4 : 0) | (m.restores.zstd ? RESTORES_ZSTD : 0))
    .u8(m.restores.zstd ? m.restores.windowLogMax : 0)
    .u64(m.session)
    .raw(m.token)
    .varint(m.windowBytes)
    .take();
}

/** The version alone, which comes first in every version of the protocol. */
export function decodeWelcomeVersion(body: Buffer): number {
  return new ByteReader(body, 'WELCOME').u16();
}

export function decodeWelcome(body: Buffer): Welcome {
  const reader = new ByteReader(body, 'WELCOME');
  const version = reader.u16();
  const node = readNodeId(reader);
  const volume = readFlag(reader) ? readId(reader) : undefined;
  const welcome = {
    version,
    node,
    ...(volume === undefined ? {} : { volume }),
    epoch: reader.varint(),
    first: reader.varint(),
    historyBytes: reader.varint(),
    last: reader.varint(),
    chain: reader.u64(),
    applied: reader.varint(),
    adopt: readFlag(reader),
    holdsContent: readFlag(reader),
    restores: readCapability(reader),
    session: reader.u64(),
    token: Buffer.from(reader.raw(TOKEN_BYTES)),
    windowBytes: reader.varint(),
  };
  if (welcome.session === 0n) throw new ProtocolError('session 0', 'an id of the session');
  reader.end();
  return welcome;
}

/** Codecs of later versions are none of ours. */
function readCapability(reader: ByteReader): Capability {
  const codecs = reader.u8();
  const windowLogMax = reader.u8();
  const zstd = (codecs & RESTORES_ZSTD) !== 0;
  if (zstd ? windowLogMax < WINDOW_LOG.min || windowLogMax > WINDOW_LOG.max : windowLogMax !== 0) {
    throw new ProtocolError(
      `a window of 2^${windowLogMax}`,
      `2^${WINDOW_LOG.min} to 2^${WINDOW_LOG.max}, or 0 for none`,
    );
  }
  return { lz4: (codecs & RESTORES_LZ4) !== 0, zstd, windowLogMax };
}

export const encodeStart = (m: Start): Buffer =>
  new ByteWriter()
    .varint(m.from)
    .u64(m.chain)
    .u8(m.reset ? 1 : 0)
    .varint(m.windowBytes)
    .take();

export function decodeStart(body: Buffer): Start {
  const reader = new ByteReader(body, 'START');
  const [from, chain, reset, windowBytes] = [reader.varint(), reader.u64(), readFlag(reader), reader.varint()];
  const start = { from, chain, reset, windowBytes };
  reader.end();
  if (start.from < 1) throw new ProtocolError(`START from ${start.from}`, 'a sequence number from 1');
  return start;
}

export const encodeRefusal = (m: Refusal): Buffer =>
  new ByteWriter()
    .text(clip(m.code))
    .text(clip(m.message))
    .u8(m.recoverable ? 1 : 0)
    .take();

export function decodeRefusal(body: Buffer): Refusal {
  const reader = new ByteReader(body, 'REFUSE');
  const refusal = {
    code: reader.text(TEXT_BYTES_MAX),
    message: reader.text(TEXT_BYTES_MAX),
    recoverable: readFlag(reader),
  };
  reader.end();
  return refusal;
}

export const encodeAck = (m: Ack): Buffer => new ByteWriter().varint(m.logged).varint(m.applied).take();

export function decodeAck(body: Buffer): Ack {
  const reader = new ByteReader(body, 'ACK');
  const ack = { logged: reader.varint(), applied: reader.varint() };
  reader.end();
  return ack;
}

export function encodeMiss({ generation, next, lost }: Miss): Buffer {
  const writer = new ByteWriter().varint(generation).varint(next).varint(lost.length);
  for (const { from, to } of lost) writer.varint(from).varint(to - from + 1);
  return writer.take();
}

export function decodeMiss(body: Buffer): Miss {
  const reader = new ByteReader(body, 'MISS');
  const [generation, next] = [reader.varint(), reader.varint()];
  const lost = Array.from({ length: reader.varint(LOST_RANGES_MAX) }, () => {
    const [from, records] = [reader.varint(), reader.varint()];
    const to = from + records - 1;
    if (from < 1 || records < 1 || !Number.isSafeInteger(to)) {
      throw new ProtocolError(`${records} lost records from ${from}`, 'at least one record');
    }
    return { from, to };
  });
  reader.end();
  return { generation, next, lost };
}

export const encodeQuery = (m: Query): Buffer => new ByteWriter().varint(m.id).text(m.name).bytes(m.body).take();

export function decodeQuery(body: Buffer): Query {
  const reader = new ByteReader(body, 'QUERY');
  const query = { id: reader.varint(), name: reader.text(64), body: reader.bytes(QUERY_BYTES_MAX) };
  reader.end();
  return query;
}

export const encodeReply = (m: Reply): Buffer =>
  new ByteWriter().varint(m.id).u8(REPLY_STATUS.indexOf(m.status)).bytes(m.body).take();

export function decodeReply(body: Buffer): Reply {
  const reader = new ByteReader(body, 'REPLY');
  const id = reader.varint();
  const code = reader.u8();
  const status = REPLY_STATUS[code];
  if (status === undefined) throw new ProtocolError(`reply status ${code}`, `0 to ${REPLY_STATUS.length - 1}`);
  const reply = { id, status, body: reader.bytes(REPLY_BYTES_MAX) };
  reader.end();
  return reply;
}

function idBytes(id: string): Buffer {
  return Buffer.from(id, 'hex');
}

function readId(reader: ByteReader): string {
  return reader.raw(ID_BYTES).toString('hex');
}

function readNodeId(reader: ByteReader): string {
  const id = reader.bytes(FINGERPRINT_BYTES);
  if (id.byteLength !== ID_BYTES && id.byteLength !== FINGERPRINT_BYTES) {
    throw new ProtocolError(`a node id of ${id.byteLength} bytes`, `${ID_BYTES} or ${FINGERPRINT_BYTES}`);
  }
  return id.toString('hex');
}

function readFlag(reader: ByteReader): boolean {
  const value = reader.u8();
  if (value > 1) throw new ProtocolError(`a flag of ${value}`, '0 or 1');
  return value === 1;
}

/** Cuts a text to what its field may carry, whole characters kept. */
function clip(text: string): string {
  let cut = text.slice(0, TEXT_BYTES_MAX);
  while (Buffer.byteLength(cut) > TEXT_BYTES_MAX) cut = cut.slice(0, -1);
  return cut;
}
