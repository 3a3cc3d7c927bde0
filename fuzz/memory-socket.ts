import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** What a connection takes for a socket, without a network: a target says what comes in, and sees what goes out. */
export class MemorySocket extends Duplex {
  readonly remoteAddress = '192.0.2.1';
  readonly remotePort = 7000;
  bytesRead = 0;
  bytesWritten = 0;
  readonly #onWrite: (chunk: Buffer) => void;
  readonly #onEnd: () => void;
  #isBlocked = false;
  #unblock: (() => void) | undefined;

  /** What goes out, and that nothing more will, is told to its owner. */
  constructor(onWrite: (chunk: Buffer) => void, onEnd: () => void = () => {}) {
    super({ allowHalfOpen: true });
    this.#onWrite = onWrite;
    this.#onEnd = onEnd;
    this.on('error', () => {});
  }

  get socket(): Socket {
    return this as unknown as Socket;
  }

  /** The other end reads nothing, or goes on reading. */
  set isBlocked(blocked: boolean) {
    this.#isBlocked = blocked;
    if (!blocked) this.#unblock?.();
  }

  /** Bytes come in. */
  hear(bytes: Buffer): void {
    if (this.destroyed || this.readableEnded) return;
    this.bytesRead += bytes.byteLength;
    this.push(bytes);
  }

  /** The other end has ended its direction. */
  hearEnd(): void {
    if (!this.destroyed && !this.readableEnded) this.push(null);
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  resetAndDestroy(): this {
    return this.destroy();
  }

  override _read(): void {}

  override _final(callback: () => void): void {
    this.#onEnd();
    callback();
  }

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.bytesWritten += chunk.byteLength;
    this.#onWrite(chunk);
    if (!this.#isBlocked) {
      callback();
      return;
    }
    this.#unblock = () => {
      this.#unblock = undefined;
      callback();
    };
  }
}

/** The two ends of one connection. Nothing arrives within the call that sends it, as with a network. */
export function memoryPair(): [MemorySocket, MemorySocket] {
  const ends: MemorySocket[] = [];
  const end = (other: number): MemorySocket => {
    const later = (work: (to: MemorySocket) => void) => process.nextTick(() => work(ends[other] as MemorySocket));
    const socket = new MemorySocket(
      (chunk) => later((to) => to.hear(chunk)),
      () => later((to) => to.hearEnd()),
    );
    const cutsOff = (): boolean => !socket.readableEnded || !socket.writableFinished;
    return socket.on('close', () => later((to) => cutsOff() && to.destroy(connectionReset())));
  };
  ends.push(end(1), end(0));
  return ends as [MemorySocket, MemorySocket];
}

export function connectionReset(): Error {
  return Object.assign(new Error('the other end is gone'), { code: 'ECONNRESET' });
}
