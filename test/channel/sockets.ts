import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Connection, type ConnectionOptions, type ConnectionOwner } from '../../src/channel/connection.js';
import { encodeFrameHeader, type Frame, type FrameHeader } from '../../src/channel/frame.js';
import { type OutgoingFrame, OutgoingLane } from '../../src/channel/outgoing.js';
import { FrameParser } from '../../src/channel/parser.js';
import { checksum64 } from '../../src/engine/checksum.js';
import { AbortedError } from '../../src/errors.js';

/** Real loopback sockets, and what the tests of connections need around them. Call `closeAll` after each test. */

/** What a handler that fails fails with, and the ways in which it may. */
export const HANDLER_FAILURE = new AbortedError('a test');
export const FAILING_HANDLERS: [string, () => Promise<void>][] = [
  [
    'thrown',
    () => {
      throw HANDLER_FAILURE;
    },
  ],
  [
    'rejected',
    async () => {
      await turns(2);
      throw HANDLER_FAILURE;
    },
  ],
];

const open = new Set<Socket>();

export function closeAll(): void {
  for (const socket of open) socket.destroy();
  open.clear();
}

export async function socketPair(allowHalfOpen = true): Promise<[Socket, Socket]> {
  const server = createServer({ allowHalfOpen }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const left = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen });
  const [[right]] = (await Promise.all([accepted, once(left, 'connect')])) as [[Socket], unknown];
  server.close();
  for (const socket of [left, right]) {
    open.add(socket);
    socket.on('error', () => {});
  }
  return [left, right];
}

export interface End {
  connection: Connection;
  frames: Frame[];
}

/** An established connection that collects what it receives. */
export function collect(socket: Socket, options: Partial<ConnectionOptions> = {}): End {
  const frames: Frame[] = [];
  const connection = new Connection({ socket, onFrame: (frame) => void frames.push(frame), ...options });
  connection.established();
  return { connection, frames };
}

export async function connectionPair(left: Partial<ConnectionOptions> = {}, right = left): Promise<[End, End]> {
  const [a, b] = await socketPair();
  return [collect(a, left), collect(b, right)];
}

/** What a session is to a connection: frames of one lane to carry, and a place for those that come in. */
export class Load implements ConnectionOwner {
  readonly frames: Frame[] = [];
  readonly #connection: Connection;
  readonly #lane: OutgoingLane<Load>;

  constructor(connection: Connection, session = 1n) {
    const endless = { creditBytes: Number.POSITIVE_INFINITY, unconfirmedBytesMax: () => Number.POSITIVE_INFINITY };
    this.#lane = new OutgoingLane<Load>({ ...endless, session, now: () => 0, onArrived: () => {} });
    this.#connection = connection;
    connection.carry(this);
  }

  get waitingBytes(): number {
    return this.#lane.isReady ? this.#lane.waitingBytes + 1 : 0;
  }

  take(bodyBytesMax: number): OutgoingFrame | undefined {
    return this.#lane.take(this, bodyBytesMax);
  }

  accept(frame: Frame): void {
    this.frames.push(frame);
  }

  answered(): void {}

  onRoom(): void {
    this.#connection.wake();
  }

  ended(): void {
    void this.#connection.end();
  }

  /** Resolves when the last of it is with the connection. */
  send(type: number, body: Uint8Array | Uint8Array[]): Promise<void> {
    return new Promise((resolve) => {
      this.#lane.push({ type, generation: 0, parts: Array.isArray(body) ? body : [body], settle: () => resolve() });
      this.#connection.wake();
    });
  }

  /** The bodies that came in, one behind the other. */
  get body(): Buffer {
    return Buffer.concat(this.frames.map(({ body }) => body));
  }
}

/** A frame as a peer would write it. */
export function frameBytes(header: Partial<FrameHeader>, body: Uint8Array = Buffer.alloc(0)): Buffer {
  const whole = { type: 8, flags: 0, generation: 0, session: 0n, frameNumber: 0, bodyLength: body.byteLength };
  return Buffer.concat([encodeFrameHeader({ ...whole, bodyChecksum: checksum64(body), ...header }), body]);
}

/** The frames that a plain socket receives. */
export function readFrames(socket: Socket): Frame[] {
  const frames: Frame[] = [];
  const parser = new FrameParser();
  socket.on('data', (chunk: Buffer) => {
    parser.push(chunk);
    for (let frame = parser.next(); frame !== undefined; frame = parser.next()) frames.push(frame);
  });
  return frames;
}

/** Waits, one turn of the event loop after the other, until the condition holds; the test's own timeout bounds it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turns(1);
}

export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
