import { createBLAKE3 } from 'hash-wasm';
import { CHUNK_DIGEST_BYTES, KEY_BYTES } from './content-layout.js';
import { chunkEnd } from './portable-chunks.js';

/** Keyed BLAKE3 (O'Connor et al., 2020) in WebAssembly, one range after the other. */

const EXPANDED_BYTES = 1024;

// A hasher reads its key anew from here at every `init`. Nothing below waits, so no two calls share it.
const key = new Uint8Array(KEY_BYTES);
const [hasher, expander] = await Promise.all([
  createBLAKE3(8 * CHUNK_DIGEST_BYTES, key),
  createBLAKE3(8 * EXPANDED_BYTES, key),
]);

/** The first 1,024 bytes of the keyed output for `label`. */
export function expandKey(secret: Uint8Array, label: Uint8Array): Uint8Array {
  key.set(secret);
  return expander.init().update(label).digest('binary');
}

/** The first 16 bytes of the digest, under the key that is set. */
const digestOf = (bytes: Uint8Array): Uint8Array => hasher.init().update(bytes).digest('binary');

/** Puts digests where they belong: tags where `digests` are 64-bit numbers, else 16 bytes each. */
function store(digest: Uint8Array, digests: BigUint64Array | Uint8Array, index: number): void {
  if (digests instanceof Uint8Array) digests.set(digest, index * CHUNK_DIGEST_BYTES);
  else digests[index] = new DataView(digest.buffer, digest.byteOffset).getBigUint64(0, true);
}

export function digestRanges(
  bytes: Uint8Array,
  ranges: Uint32Array,
  secret: Uint8Array,
  digests: BigUint64Array | Uint8Array,
): void {
  key.set(secret);
  for (let index = 0; 2 * index + 1 < ranges.length; index++) {
    store(digestOf(bytes.subarray(ranges[2 * index], ranges[2 * index + 1])), digests, index);
  }
}

export function digestChunks(
  bytes: Uint8Array,
  start: number,
  end: number,
  gear: Uint32Array,
  secret: Uint8Array,
  cuts: Uint32Array,
  digests: BigUint64Array | Uint8Array,
  head: number,
): number {
  key.set(secret);
  let count = 0;
  for (let from = start; from < end && count < cuts.length; count++) {
    const found = chunkEnd({ bytes, start, end, hash: 0 }, gear, from);
    const cut = found === 0 ? end : found;
    store(digestOf(bytes.subarray(from, cut)), digests, count);
    if (cut === end && from < head) store(digestOf(bytes.subarray(from, head)), digests, count + 1);
    cuts[count] = cut;
    from = cut;
  }
  return count;
}
