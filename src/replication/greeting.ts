import type { Connection } from '../channel/connection.js';
import {
  decodeRefusal,
  decodeWelcome,
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
import { decide, type Situation, type Verdict } from '../channel/verdict.js';
import {
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
  connection: Connection,
  inbox: Inbox,
  hello: Omit<Hello, 'versionMin' | 'versionMax'>,
): Promise<Welcome> {
  const versions = { versionMin: PROTOCOL_VERSION_MIN, versionMax: PROTOCOL_VERSION };
  connection.sendControl(FrameType.hello, encodeHello({ ...versions, ...hello }));
  const frame = await inbox.next();
  if (frame.type === FrameType.refuse) throw refusalError(decodeRefusal(frame.body), 'the receiver');
  if (frame.type !== FrameType.welcome) throw new ProtocolError(`frame type ${frame.type}`, 'WELCOME or REFUSE');
  const welcome = decodeWelcome(frame.body);
  if (welcome.version < PROTOCOL_VERSION_MIN || welcome.version > PROTOCOL_VERSION) {
    throw new ProtocolVersionError(`${PROTOCOL_VERSION_MIN} to ${PROTOCOL_VERSION}`, String(welcome.version));
  }
  return welcome;
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
    volume: welcome.volume === undefined ? 'none' : welcome.volume === journal.volume ? 'same' : 'other',
    newest: welcome.last > journal.last ? 'ahead' : welcome.last < journal.first - 1 ? 'gone' : 'held',
    chain: 'unknown',
    acknowledged: welcome.last < acknowledged ? 'regressed' : 'kept',
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
export function refuse(
  connection: Connection,
  journal: Journal,
  welcome: Welcome,
  peer: string,
  verdict: Verdict,
): LonghaulError {
  const error =
    verdict.action === 'refuse' && verdict.code === 'VOLUME_MISMATCH'
      ? new VolumeMismatchError(journal.volume, welcome.volume ?? 'none')
      : new PeerNewerError(peer, welcome.last, journal.last);
  connection.sendControl(
    FrameType.refuse,
    encodeRefusal({ code: error.code, message: error.message, recoverable: false }),
  );
  return error;
}

/** Tells the receiver where the stream begins and waits until it is ready. */
export async function begin(
  connection: Connection,
  inbox: Inbox,
  journal: Journal,
  from: number,
  reset: boolean,
): Promise<void> {
  const chain = await journal.chainAt(from - 1);
  if (chain === undefined) throw new ProtocolError(`no chain before record ${from}`, 'a record in the queue');
  connection.sendControl(FrameType.start, encodeStart({ from, chain, reset }));
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
