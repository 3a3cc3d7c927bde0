import type { Socket } from 'node:net';
import { socketPair } from './sockets.js';

/** Something in the middle of a connection, as a middle box or a link would be: it can hold everything up, or lose it. */
export class Relay {
  readonly left: Socket;
  readonly right: Socket;
  readonly #middle: readonly [Socket, Socket];
  #isLosing = false;

  private constructor([left, a]: [Socket, Socket], [b, right]: [Socket, Socket]) {
    this.left = left;
    this.right = right;
    this.#middle = [a, b];
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      from.on('data', (chunk: Buffer) => {
        if (this.#isLosing || to.destroyed) return;
        if (to.write(chunk)) return;
        from.pause();
        to.once('drain', () => from.resume());
      });
      from.on('end', () => to.end());
      from.on('close', () => to.destroy());
    }
  }

  static async open(): Promise<Relay> {
    return new Relay(await socketPair(), await socketPair());
  }

  /** From here on nothing gets through, either way, and nobody is told. */
  hold(): void {
    for (const socket of this.#middle) {
      socket.removeAllListeners('drain');
      socket.pause();
    }
  }

  letGo(): void {
    for (const socket of this.#middle) socket.resume();
  }

  /** Ends the connection to either side in an orderly way; what was under way is lost. */
  close(): void {
    this.#isLosing = true;
    for (const socket of this.#middle) {
      socket.resume();
      socket.end();
    }
  }
}
