import type { Socket } from 'node:net';
import { encodeEnd } from '../../src/channel/end.js';
import type { Frame, FrameHeader } from '../../src/channel/frame.js';
import { laneOf } from '../../src/channel/lanes.js';
import type { Member } from '../../src/channel/member.js';
import { FrameType } from '../../src/channel/messages.js';
import { decodeWindow, encodeWindow, type Window } from '../../src/channel/window.js';
import { SESSION, type Side } from './channels.js';
import { collect, frameBytes, readFrames, socketPair } from './sockets.js';

/** The other end of one connection of a session, by hand: it writes what a test wants, and has none of the library's manners. */
export class RawPeer {
  readonly socket: Socket;
  readonly frames: Frame[];
  #ownNumber = 0;

  constructor(socket: Socket) {
    this.socket = socket;
    this.frames = readFrames(socket);
  }

  /** A frame of a lane. */
  lane(frameNumber: number, body: Uint8Array = Buffer.alloc(0), header: Partial<FrameHeader> = {}): void {
    this.socket.write(frameBytes({ type: FrameType.batch, session: SESSION, frameNumber, ...header }, body));
  }

  /** A frame of the connection, with the number that is due. */
  own(type: number, body: Uint8Array = Buffer.alloc(0)): void {
    this.socket.write(frameBytes({ type, frameNumber: this.#ownNumber++ }, body));
  }

  window(window: Partial<Window>): void {
    this.own(FrameType.window, encodeWindow({ dataNext: 0, controlNext: 0, creditBytes: 0, arrived: [], ...window }));
  }

  end(dataFrames: number, controlFrames = 0): void {
    this.own(FrameType.end, encodeEnd({ dataFrames, controlFrames }));
  }

  /** The frames of lanes that came. */
  get ofLanes(): Frame[] {
    return this.frames.filter(({ type }) => laneOf(type) !== undefined);
  }

  /** The newest WINDOW that came. */
  get heard(): Window | undefined {
    const body = this.frames.findLast(({ type }) => type === FrameType.window)?.body;
    return body === undefined ? undefined : decodeWindow(body);
  }
}

/** One more connection of the session, with a peer by hand at its other end. */
export async function rawMember(
  { channel }: Side,
  role = { path: 0, spare: false },
): Promise<{ member: Member; peer: RawPeer }> {
  const [socket, other] = await socketPair();
  const member = channel.add(collect(socket).connection, role);
  if (member === undefined) throw new Error('the session takes no further connection');
  return { member, peer: new RawPeer(other) };
}
