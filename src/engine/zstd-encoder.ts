import { ClosedError } from '../errors.js';
import { integerOption } from '../options.js';
import type { ZstdStream } from './zstd-addon.js';
import { flagOption, LEVEL, listOf, WINDOW_LOG } from './zstd-arguments.js';
import { throwAs, zstd } from './zstd-call.js';

export interface ZstdEncoderOptions {
  /** 1 (fast) to 19 (small), for the encoder's life. Default 3. */
  level?: number;
  /** Matches are found up to 2^windowLog bytes back, prefix included: 10 to 30, default 26 (64 MiB). */
  windowLog?: number;
  /** Finds matches anywhere in the window, not only as far as the level's tables reach. Default true. */
  longDistance?: boolean;
  /** Ends the frame with a checksum of all that went in. Default false: records have checksums of their own. */
  checksum?: boolean;
  /**
   * What the decoder holds already, as one stretch or as several that count as one; at most 2^windowLog bytes. The
   * encoder keeps a copy. Default none.
   */
  prefix?: Uint8Array | readonly Uint8Array[];
}

const WHAT = 'the encoder';

/**
 * One stream of zstd for a peer, one frame from `open` to `end`, worked on off the event loop. What each call returns
 * decodes to all that was put in until then. Calls run one after another, in the order in which they were made; their
 * input must be neither changed nor transferred until they settle. Every error but InvalidArgumentError is the
 * encoder's end: CompressionFailedError, or ClosedError after `close` or `end`.
 */
export class ZstdEncoder {
  readonly #stream: ZstdStream;
  #closed = false;

  private constructor(stream: ZstdStream) {
    this.#stream = stream;
  }

  /**
   * Takes all memory at once and indexes the prefix. Raises CodecMissingError with the portable engine, and
   * CompressionFailedError for lack of memory.
   */
  static async open(options: ZstdEncoderOptions = {}): Promise<ZstdEncoder> {
    const level = integerOption('level', options.level, LEVEL);
    const windowLog = integerOption('windowLog', options.windowLog, WINDOW_LOG);
    const longDistance = flagOption('longDistance', options.longDistance, true);
    const checksum = flagOption('checksum', options.checksum, false);
    const prefix = listOf('prefix', options.prefix ?? [], 2 ** windowLog);
    const opened = zstd().openEncoder(level, windowLog, longDistance, checksum, prefix);
    return new ZstdEncoder(await opened.catch(throwAs({ what: WHAT })));
  }

  /** Native memory in use: tables, window and prefix; 0 when closed, failed or ended. */
  get memoryBytes(): number {
    return zstd().memoryBytes(this.#stream);
  }

  /** Compresses and flushes, at most 1 GiB; several stretches count as one. */
  async compress(input: Uint8Array | readonly Uint8Array[]): Promise<Buffer> {
    const list = listOf('input', input);
    this.#assertOpen();
    return zstd()
      .compress(this.#stream, list)
      .catch(throwAs({ what: WHAT }));
  }

  /** Ends the frame, with the bytes that belong to its end, and closes. */
  async end(): Promise<Buffer> {
    this.#assertOpen();
    this.#closed = true;
    return zstd()
      .end(this.#stream)
      .catch(throwAs({ what: WHAT }));
  }

  /** Frees the memory. Calls that have not settled fail with ClosedError, the running one within a block or so. */
  close(): void {
    this.#closed = true;
    zstd().close(this.#stream);
  }

  #assertOpen(): void {
    if (this.#closed) throw new ClosedError(WHAT);
  }
}
