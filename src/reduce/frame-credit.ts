import { ProtocolError } from '../errors.js';

/**
 * Beginning a frame is work for a receiver: it takes credit for its prefix, and so much of a window for itself. There is
 * credit for two windows when a generation begins, and never more; each byte of a batch brings some.
 */
const FRAME_COST_PART = 1 / 64;
const CREDIT_WINDOWS = 2;
const CREDIT_A_BYTE = 16;

/** Bytes of batches that bring credit for a frame of a peer's largest window, however long its prefix is. */
export function frameBytesMin(windowLogMax: number): number {
  return 2 ** windowLogMax / CREDIT_A_BYTE;
}

/** What a receiver gives its sender. */
export class FrameCredit {
  readonly #window: number;
  #bytes: number;

  constructor(windowLogMax: number) {
    this.#window = 2 ** windowLogMax;
    this.#bytes = CREDIT_WINDOWS * this.#window;
  }

  /** For a batch. */
  earn(batchBytes: number): void {
    this.#bytes = Math.min(CREDIT_WINDOWS * this.#window, this.#bytes + CREDIT_A_BYTE * batchBytes);
  }

  /** For a frame itself, before its prefix is read. ProtocolError when there is not enough. */
  begin(): void {
    this.spend(this.#window * FRAME_COST_PART);
  }

  /** For its prefix, once that is known. */
  spend(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#bytes < 0) throw new ProtocolError('a frame so soon after another', 'more batches in the one before');
  }
}
