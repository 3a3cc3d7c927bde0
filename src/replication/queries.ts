import { REPLY_BYTES_MAX, type Reply } from '../channel/messages.js';
import { ByteReader, ByteWriter } from '../engine/bytes.js';
import { ConnectionLostError, type LonghaulError, PeerRefusedError } from '../errors.js';

/** Questions that a sender asks of its receiver outside the ordered stream; answers come in parts. */

/** The sender is done and has compared both ends. */
export const FINISH_QUESTION = 'session.finish';

interface Pending {
  parts: Buffer[];
  ended: boolean;
  error?: LonghaulError;
  wake: () => void;
  taken: () => void;
}

/** Unread parts after which the connection is held back until the asker takes some. */
const UNREAD_PARTS_MAX = 32;

const nothing = (): void => {};

export class Queries {
  readonly #peer: string;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;

  constructor(peer: string) {
    this.#peer = peer;
  }

  /** Registers a question; `send` puts it on the wire with the id it is given. */
  async *ask(send: (id: number) => void): AsyncGenerator<Buffer> {
    const id = this.#nextId++;
    const pending: Pending = { parts: [], ended: false, wake: nothing, taken: nothing };
    this.#pending.set(id, pending);
    try {
      send(id);
      for (;;) {
        const part = pending.parts.shift();
        if (part !== undefined) {
          pending.taken();
          yield part;
        } else if (pending.error !== undefined) throw pending.error;
        else if (pending.ended) return;
        else await new Promise<void>((wake) => (pending.wake = wake));
      }
    } finally {
      this.#pending.delete(id);
      pending.taken();
    }
  }

  /** Takes an answer's part; the promise is pending while the asker has too many of them unread. */
  async onReply(reply: Reply): Promise<void> {
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    if (reply.status === 'data') pending.parts.push(reply.body);
    else if (reply.status === 'end') pending.ended = true;
    else pending.error = decodeFailure(this.#peer, reply.body);
    pending.wake();
    while (pending.parts.length > UNREAD_PARTS_MAX && this.#pending.has(reply.id)) {
      await new Promise<void>((taken) => (pending.taken = taken));
    }
  }

  fail(error: LonghaulError | undefined): void {
    for (const pending of this.#pending.values()) {
      pending.error ??= error ?? new ConnectionLostError(this.#peer, 'closed before the answer was complete');
      pending.wake();
    }
  }
}

export function encodeFailure(error: Error & { code?: unknown; recoverable?: unknown }): Buffer {
  const writer = new ByteWriter();
  writer.text(String(error.code ?? 'FAILED').slice(0, 64)).text(error.message.slice(0, REPLY_BYTES_MAX / 8));
  return writer.u8(error.recoverable === true ? 1 : 0).take();
}

function decodeFailure(peer: string, body: Buffer): PeerRefusedError {
  const reader = new ByteReader(body, 'failed REPLY');
  const code = reader.text(256);
  const message = reader.text(REPLY_BYTES_MAX);
  return new PeerRefusedError(peer, code, message, reader.u8() === 1);
}
