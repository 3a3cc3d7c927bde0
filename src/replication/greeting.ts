import type { Channel } from '../channel/channel.js';
import {
  decodeRefusal,
  decodeWelcome,
  decodeWelcomeVersion,
  encodeHello,
  encodeRefusal,
  encodeStart,
  FrameType,
  type Hello,
  PROTOCOL_VERSION,
  PROTOCOL_VERSION_MIN,
  type Refusal,
  type Welcome,
} from '../channel/messages.js';
import { decide, type RefusalCode, type Situation, type Verdict } from '../channel/verdict.js';
import {
  EpochStaleError,
  IdentityMismatchError,
  type LonghaulError,
  PeerNewerError,
  PeerRefusedError,
  ProtocolError,
  ProtocolVersionError,
  VolumeMismatchError,
} from '../errors.js';
import type { Journal } from '../journal/journal.js';

/** The sender's half of the handshake: greet, compare what both ends hold, say where to begin. */

export interface Inbox {
  /** The next frame that is not a heartbeat. */
  next(): Promise<{ type: number; body: Buffer }>;
}

export interface Greeting {
  welcome: Welcome;
  verdict: Verdict;
}

export async function greet(
  channel: Channel,
  inbox: Inbox,
  hello: Omit<Hello, 'versionMin' | 'versionMax'>,
): Promise<Welcome> {
  const versions = { versionMin: PROTOCOL_VERSION_MIN, versionMax: PROTOCOL_VERSION };
  channel.sendControl(FrameType.hello, encodeHello({ ...versions, ...hello }));
  const frame = await inbox.next();
  if (frame.type === FrameType.refuse) throw refusalError(decodeRefusal(frame.body), 'the receiver');
  if (frame.type !== FrameType.welcome) throw new ProtocolError(`frame type ${frame.type}`, 'WELCOME or REFUSE');
  // What follows the version is only known in those that we speak.
  const version = decodeWelcomeVersion(frame.body);
  if (version < PROTOCOL_VERSION_MIN || version > PROTOCOL_VERSION) {
    throw new ProtocolVersionError(`${PROTOCOL_VERSION_MIN} to ${PROTOCOL_VERSION}`, String(version));
  }
  return decodeWelcome(frame.body);
}

/** Where the connection has proved an id, a greeting must be that node's. */
export function requireProvenId(peer: string, proved: string | undefined, claimed: string): void {
  if (proved !== undefined && proved !== claimed) throw new IdentityMismatchError(peer, proved, claimed);
}

/** Holds what the receiver says against our queue. */
export async function judge(
  journal: Journal,
  welcome: Welcome,
  acknowledged: number,
  adopt: boolean,
): Promise<Verdict> {
  const situation: Situation = {
    version: 'common',
    volume: welcome.volume === undefined ? 'none' : welcome.volume === journal.volume ? 'same' : 'other',
    epoch: welcome.epoch > journal.lastEpoch ? 'newer' : 'reached',
    newest: welcome.last > journal.last ? 'ahead' : welcome.last < journal.first - 1 ? 'gone' : 'held',
    chain: 'unknown',
    acknowledged: welcome.last < acknowledged ? 'regressed' : 'kept',
    history: welcome.first <= welcome.last ? 'some' : 'none',
    holdsContent: welcome.holdsContent,
    adopt: adopt || welcome.adopt,
  };
  if (situation.newest === 'held') {
    const chain = await journal.chainAt(welcome.last);
    if (chain !== undefined) situation.chain = chain === welcome.chain ? 'equal' : 'differs';
  }
  return decide(situation);
}

/** The error for a verdict that ends the session; the receiver is told too, so that its own log says why. */
export function refuse(channel: Channel, journal: Journal, welcome: Welcome, code: RefusalCode): LonghaulError {
  const error = refusalOf(code, journal, welcome, channel.peer);
  channel.sendControl(
    FrameType.refuse,
    encodeRefusal({ code: error.code, message: error.message, recoverable: false }),
  );
  return error;
}

function refusalOf(code: RefusalCode, journal: Journal, welcome: Welcome, peer: string): LonghaulError {
  switch (code) {
    case 'PROTOCOL_VERSION':
      return new ProtocolVersionError(`${PROTOCOL_VERSION_MIN} to ${PROTOCOL_VERSION}`, String(welcome.version));
    case 'VOLUME_MISMATCH':
      return new VolumeMismatchError(journal.volume, welcome.volume ?? 'none');
    case 'EPOCH_STALE':
      return new EpochStaleError(peer, welcome.epoch, journal.lastEpoch);
    case 'PEER_NEWER':
      return new PeerNewerError(peer, welcome.last, journal.last);
  }
}

/** Tells the receiver where the stream begins and waits until it is ready. */
export async function begin(
  channel: Channel,
  inbox: Inbox,
  journal: Journal,
  from: number,
  reset: boolean,
): Promise<void> {
  const chain = await journal.chainAt(from - 1);
  if (chain === undefined) throw new ProtocolError(`no chain before record ${from}`, 'a record in the queue');
  channel.sendControl(FrameType.start, encodeStart({ from, chain, reset, windowBytes: channel.windowBytes }));
  const frame = await inbox.next();
  if (frame.type === FrameType.refuse) throw refusalError(decodeRefusal(frame.body), 'the receiver');
  if (frame.type !== FrameType.ready) throw new ProtocolError(`frame type ${frame.type}`, 'READY or REFUSE');
}

export function refusalError(refusal: Refusal, peer: string): LonghaulError {
  if (refusal.code === 'PROTOCOL_VERSION') {
    return new ProtocolVersionError(`${PROTOCOL_VERSION_MIN} to ${PROTOCOL_VERSION}`, refusal.message);
  }
  return new PeerRefusedError(peer, refusal.code, refusal.message, refusal.recoverable);
}
