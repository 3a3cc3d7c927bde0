import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { encodeFrameHeader, FRAME_HEADER_BYTES, FRAME_PING, FRAME_PONG, type Frame } from '../../src/channel/frame.js';
import { FrameParser } from '../../src/channel/parser.js';
import { checksum64 } from '../../src/engine/checksum.js';
import { atEnd } from './temp.js';

/** One end of a connection by hand: frames as a test wants them, with none of the library's manners. */
export class Wire {
  readonly socket: Socket;
  readonly #parser = new FrameParser();
  readonly #frames: Frame[] = [];
  #frameNumber = 0;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => this.#wake());
    socket.on('data', (chunk) => {
      this.#parser.push(chunk);
      for (let frame = this.#parser.next(); frame !== undefined; frame = this.#parser.next()) this.#frames.push(frame);
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
    const header = encodeFrameHeader({
      type,
      generation: 0,
      session: 0n,
      bodyLength: body.byteLength,
      frameNumber: this.#frameNumber++,
      bodyChecksum: checksum64(body),
    });
    this.socket.write(Buffer.concat([header.subarray(0, FRAME_HEADER_BYTES), body]));
  }

  /** The next frame that is no heartbeat; undefined when the other side has ended the connection. */
  async next(): Promise<Frame | undefined> {
    for (;;) {
      const frame = this.#frames.shift();
      if (frame !== undefined && (frame.type === FRAME_PING || frame.type === FRAME_PONG)) continue;
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
