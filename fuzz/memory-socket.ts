import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

/** What a connection takes for a socket, without a network: a target says what comes in, and sees what goes out. */
export class MemorySocket extends Duplex {
  readonly remoteAddress = '192.0.2.1';
  readonly remotePort = 7000;
  bytesRead = 0;
  bytesWritten = 0;
  readonly #onWrite: (chunk: Buffer) => void;
  #isBlocked = false;
  #unblock: (() => void) | undefined;

  constructor(onWrite: (chunk: Buffer) => void) {
    super({ allowHalfOpen: true });
    this.#onWrite = onWrite;
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

  override _read(): void {}

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
