import { ClosedError } from '../errors.js';
import { integerOption } from '../options.js';
import type { ZstdStream } from './zstd-addon.js';
import { checkOutputBytesMax, listOf, WINDOW_LOG } from './zstd-arguments.js';
import { throwAs, zstd } from './zstd-call.js';

export interface ZstdDecoderOptions {
  /** The largest window that a frame may ask for is 2^windowLogMax bytes: 10 to 30, default 26 (64 MiB). */
  windowLogMax?: number;
  /** What the encoder was given; at most 2^windowLogMax bytes. The decoder keeps a copy. Default none. */
  prefix?: Uint8Array | readonly Uint8Array[];
}

const WHAT = 'the decoder';

/**
 * The other end of a ZstdEncoder, for one frame of a peer that is not trusted. Memory is bounded by the window, the
 * prefix and what a call may put out. Calls run one after another, off the event loop, in the order in which they were
 * made; their input must be neither changed nor transferred until they settle.
 *
 * Raises CompressedDataError for input that no encoder made or that follows the end of the frame, WindowTooLargeError,
 * OutputTooLargeError, CompressionFailedError for lack of memory, and ClosedError. All of them are the decoder's end:
 * each further call fails the same way.
 */
export class ZstdDecoder {
  readonly #stream: ZstdStream;
  readonly #windowLogMax: number;
  #closed = false;
  /** How large the output of the first call that failed was allowed to be. */
  #exceeded: number | undefined;

  private constructor(stream: ZstdStream, windowLogMax: number) {
    this.#stream = stream;
    this.#windowLogMax = windowLogMax;
  }

  /** Raises CodecMissingError with the portable engine. */
  static async open(options: ZstdDecoderOptions = {}): Promise<ZstdDecoder> {
    const windowLogMax = integerOption('windowLogMax', options.windowLogMax, WINDOW_LOG);
    const prefix = listOf('prefix', options.prefix ?? [], 2 ** windowLogMax);
    const opened = zstd().openDecoder(windowLogMax, prefix);
    return new ZstdDecoder(await opened.catch(throwAs({ what: WHAT })), windowLogMax);
  }

  /** Native memory in use: window and prefix; 0 when closed, failed or at the end of the frame. */
  get memoryBytes(): number {
    return zstd().memoryBytes(this.#stream);
  }

  /** All that the input decodes to, at most `outputBytesMax` bytes (0 to 1 GiB). */
  async decompress(input: Uint8Array | readonly Uint8Array[], outputBytesMax: number): Promise<Buffer> {
    const list = listOf('input', input);
    checkOutputBytesMax(outputBytesMax);
    if (this.#closed) throw new ClosedError(WHAT);
    return zstd()
      .decompress(this.#stream, list, outputBytesMax)
      .catch((error) => {
        this.#exceeded ??= outputBytesMax;
        return throwAs({ what: WHAT, windowLogMax: this.#windowLogMax, outputBytesMax: this.#exceeded })(error);
      });
  }

  /** Frees the memory. Calls that have not settled fail with ClosedError, the running one within a block or so. */
  close(): void {
    this.#closed = true;
    zstd().close(this.#stream);
  }
}
