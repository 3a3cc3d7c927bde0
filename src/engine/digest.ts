import { createHash, type Hash } from 'node:crypto';

/**
 * Content digests: SHA-256 (FIPS 180-4) cut to 128 bits. OpenSSL's version uses the processor's SHA instructions, which
 * makes it more than twice as fast as any WebAssembly digest at hand, and it costs no dependency.
 */
export const DIGEST_BYTES = 16;

export class Digest {
  readonly #hash: Hash = createHash('sha256');

  update(bytes: Uint8Array): this {
    this.#hash.update(bytes);
    return this;
  }

  /** The digest of everything given so far; the object is spent afterwards. */
  finish(): Buffer {
    return this.#hash.digest().subarray(0, DIGEST_BYTES);
  }
}

export function digestOf(bytes: Uint8Array): Buffer {
  return new Digest().update(bytes).finish();
}
