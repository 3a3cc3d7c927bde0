import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { FRAME_HEADER_BYTES } from '../../src/channel/frame.js';
import { FrameType } from '../../src/channel/messages.js';
import { type FrameSource, Outbox } from '../../src/channel/outbox.js';
import type { OutgoingFrame } from '../../src/channel/outgoing.js';
import { turns } from './sockets.js';

const KIB = 1024;

/** A socket that holds what it was given until somebody takes it. */
class HeldSocket {
  writableLength = 0;
  givenBytes = 0;
  readonly #waiting: { bytes: number; written: () => void }[] = [];

  cork(): void {}
  uncork(): void {}

  write(part: Uint8Array, written: () => void): void {
    this.writableLength += part.byteLength;
    this.givenBytes += part.byteLength;
    this.#waiting.push({ bytes: part.byteLength, written });
  }

  drain(): void {
    const waiting = this.#waiting.splice(0);
    for (const { bytes } of waiting) this.writableLength -= bytes;
    for (const { written } of waiting) written();
  }
}

/** A session that has one frame, and after that nothing that this connection might carry. */
class OneFrame implements FrameSource {
  waitingBytes: number;

  constructor(bytes: number) {
    this.waitingBytes = bytes;
  }

  take(bodyBytesMax: number): OutgoingFrame | undefined {
    const bodyLength = Math.min(this.waitingBytes, bodyBytesMax);
    if (bodyLength === 0) return undefined;
    this.waitingBytes = 0;
    const parts = [Buffer.alloc(bodyLength)];
    return {
      type: FrameType.batch,
      flags: 0,
      generation: 0,
      session: 1n,
      frameNumber: 0,
      bodyLength,
      bodyChecksum: 0n,
      parts,
    };
  }

  onRoom(): void {}
}

test('a frame that a shaper let through in part goes on when the socket has taken that', async () => {
  const socket = new HeldSocket();
  const shaper = { quantumBytes: 40 * KIB, take: async (bytes: number) => bytes, charge: () => {} };
  const outbox = new Outbox({ socket: socket as unknown as Socket, shaper, now: () => 0, overheadBytes: () => 0 });
  outbox.source = new OneFrame(64 * KIB);
  // So much that the first part leaves no room.
  socket.writableLength = 30 * KIB;
  outbox.wake();
  await turns(2);
  expect(socket.givenBytes).toBe(40 * KIB);
  socket.writableLength -= 30 * KIB;
  for (let turn = 0; turn < 3; turn++) {
    socket.drain();
    await turns(2);
  }
  expect(socket.givenBytes).toBe(64 * KIB + FRAME_HEADER_BYTES);
  expect(outbox.isEmpty).toBe(true);
  outbox.close();
});
