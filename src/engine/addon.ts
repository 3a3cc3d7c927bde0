import { createRequire } from 'node:module';
import { isDeepStrictEqual } from 'node:util';
import { FEATURES, GEAR_FIELDS, GEAR_WINDOW_BYTES, KEY_BYTES, MATCH_FIELDS } from './content-layout.js';
import type { Kernels } from './kernels.js';
import { type NativeAddon, nativeKernels } from './native.js';
import { portable } from './portable.js';
import { RECORD, recordBytes, STATE } from './record-layout.js';
import { assertWhole } from './shared-library.js';
import type { ZstdAddon } from './zstd-addon.js';

/** The addon, once it is loaded and known to be this version's. */
export interface LoadedAddon {
  kernels: Kernels;
  /** The codec that the native engine alone has. */
  zstd?: ZstdAddon;
}

export function loadAddon(path: string): LoadedAddon {
  assertWhole(path);
  const addon = createRequire(import.meta.url)(path) as NativeAddon;
  const kernels = nativeKernels(addon, portable);
  // One that was built from other sources, with another layout say, would write journals that nobody can read.
  for (const sample of [recordSample, contentSample]) {
    if (!isDeepStrictEqual(sample(kernels), sample(portable))) throw new Error('it belongs to another version');
  }
  return { kernels, ...(addon.zstd !== undefined && { zstd: addon.zstd }) };
}

/** What an engine makes of one record. */
function recordSample(kernels: Kernels): unknown {
  const payloadLength = 7;
  const bytes = new Uint8Array(recordBytes(1, payloadLength)).fill(1);
  const view = new DataView(bytes.buffer);
  view.setUint16(RECORD.keyLength, 1, true);
  view.setUint32(RECORD.payloadLength, payloadLength, true);
  const state = BigUint64Array.of(2n, 3n, view.getBigUint64(RECORD.sequence, true), 0n, 0n);
  const records = kernels.sealRecords(bytes, 0, bytes.byteLength, state);
  const checksums = [kernels.checksum64(bytes, 4n), kernels.checksumParts([bytes, bytes.subarray(3)], 5n)];
  const sealed = [bytes.slice(), state.slice(), checksums];
  state[STATE.chain] = 3n;
  const found = new Uint32Array(records + 1);
  return [sealed, kernels.checkRecords(bytes, 0, bytes.byteLength, state, found), state, found];
}

/** What an engine makes of a few chunks, a difference and a match. */
function contentSample(kernels: Kernels): unknown {
  const bytes = Uint8Array.from({ length: 1000 }, (_, at) => at * at);
  const gear = Uint32Array.from({ length: GEAR_FIELDS }, (_, at) => Math.imul(at, 0x9e3779b1));
  gear.set([GEAR_WINDOW_BYTES, 3 * GEAR_WINDOW_BYTES, 2 ** 28]);
  const [cuts, tags] = [new Uint32Array(40), new BigUint64Array(41)];
  const key = bytes.subarray(0, KEY_BYTES);
  const count = kernels.digestChunks(bytes, 0, bytes.byteLength, gear, key, cuts, tags, 999);
  const features = new Uint32Array(FEATURES);
  kernels.sketch(bytes, 0, bytes.byteLength, gear, features);
  const difference = new Uint8Array(500);
  kernels.xorBytes(bytes.subarray(0, 500), bytes.subarray(500), difference);
  const matches = new Uint32Array(MATCH_FIELDS);
  kernels.matchBytes(bytes.subarray(0, 500), bytes.subarray(100, 900), 0, matches);
  return [count, cuts, tags, features, difference, matches];
}
