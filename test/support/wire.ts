import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { encodeFrameHeader, FRAME_HEADER_BYTES, FRAME_PING, FRAME_PONG, type Frame } from '../../src/channel/frame.js';
import { laneOf } from '../../src/channel/lanes.js';
import { decodeWelcome, FrameType } from '../../src/channel/messages.js';
import { FrameParser } from '../../src/channel/parser.js';
import { checksum64 } from '../../src/engine/checksum.js';
import { atEnd } from './temp.js';

const UNHEARD = new Set<number>([FRAME_PING, FRAME_PONG, FrameType.window]);

/** One end of a connection by hand: frames as a test wants them, with none of the library's manners. */
export class Wire {
  readonly socket: Socket;
  readonly #parser = new FrameParser();
  readonly #frames: Frame[] = [];
  /** Set by the WELCOME that went one way or the other. */
  session = 0n;
  readonly #numbers = { link: 0, data: 0, control: 0 };
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => this.#wake());
    socket.on('data', (chunk) => {
      this.#parser.push(chunk);
      for (let frame = this.#parser.next(); frame !== undefined; frame = this.#parser.next()) {
        if (frame.type === FrameType.welcome) this.session = sessionOf(frame.body);
        this.#frames.push(frame);
      }
      this.#wake();
    });
    atEnd(() => socket.destroy());
  }

  static async dial(port: number): Promise<Wire> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new Wire(socket);
  }

  send(type: number, body: Uint8Array): void {
    const lane = this.session === 0n ? undefined : laneOf(type);
    if (type === FrameType.welcome) this.session = sessionOf(Buffer.from(body));
    const header = encodeFrameHeader({
      type,
      flags: 0,
      generation: 0,
      session: lane === undefined ? 0n : this.session,
      bodyLength: body.byteLength,
      frameNumber: this.#numbers[lane ?? 'link']++,
      bodyChecksum: checksum64(body),
    });
    this.socket.write(Buffer.concat([header.subarray(0, FRAME_HEADER_BYTES), body]));
  }

  /** The next frame that is neither heartbeat nor window; undefined when the other side has ended the connection. */
  async next(): Promise<Frame | undefined> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined && UNHEARD.has(frame.type)) continue;
      if (frame !== undefined || this.socket.closed) return frame;
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }

  /** The next frame, which must be of that type. */
  async expect(type: number): Promise<Buffer> {
    const frame = await this.next();
    if (frame?.type !== type) throw new Error(`frame ${frame?.type ?? '(none)'} instead of ${type}`);
    return frame.body;
  }
}

function sessionOf(welcome: Buffer): bigint {
  try {
    return decodeWelcome(welcome).session;
  } catch {
    // One that a test has spoilt begins no session.
    return 0n;
  }
}

/** A listener whose connections a test serves by hand. */
export class WireServer {
  readonly port: number;
  readonly #waiting: Wire[] = [];
  #wake: () => void = () => {};

  private constructor(server: Server) {
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => {
      this.#waiting.push(new Wire(socket));
      this.#wake();
    });
    atEnd(() => server.close());
  }

  static async open(): Promise<WireServer> {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new WireServer(server);
  }

  async accept(): Promise<Wire> {
    for (;;) {
      const wire = this.#waiting.shift();
      if (wire !== undefined) return wire;
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
  }
}
