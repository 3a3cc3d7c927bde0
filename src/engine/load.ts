import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { NativeEngineMissingError } from '../errors.js';
import { choiceOption } from '../options.js';
import { GEAR_FIELDS, GEAR_WINDOW_BYTES, KEY_BYTES } from './content-layout.js';
import type { Kernels } from './kernels.js';
import { type NativeAddon, nativeKernels } from './native.js';
import { portable } from './portable.js';
import { RECORD, recordBytes, STATE } from './record-layout.js';
import type { ZstdAddon } from './zstd-addon.js';

/** Finds the addon, or remembers why there is none. */

export interface LoadedEngine {
  name: 'native' | 'portable';
  kernels: Kernels;
  /** The codec that the native engine alone has. */
  zstd?: ZstdAddon;
  /** Why the native engine is not in use. */
  reason?: string;
}

/** `choice` is the environment's LONGHAUL_ENGINE: either engine's name, or nothing for the best there is. */
export function loadEngine(choice: string | undefined, addonPath: string = ownAddonPath()): LoadedEngine {
  const wanted = choiceOption('LONGHAUL_ENGINE', choice || undefined, ['auto', 'native', 'portable'], 'auto');
  if (wanted === 'portable') return { name: 'portable', kernels: portable, reason: 'LONGHAUL_ENGINE is portable' };
  try {
    return { name: 'native', ...loadAddon(addonPath) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (wanted === 'native') throw new NativeEngineMissingError(addonPath, reason, error);
    return { name: 'portable', kernels: portable, reason };
  }
}

/** Where the build leaves the addon. */
export function ownAddonPath(): string {
  return join(ownPackageDirectory(), 'build', 'Release', 'longhaul.node');
}

/** The directory of the package, wherever in it this file lies. */
export function ownPackageDirectory(): string {
  let dir = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(dir, 'package.json')) && dir !== dirname(dir)) dir = dirname(dir);
  return dir;
}

function loadAddon(path: string): Pick<LoadedEngine, 'kernels' | 'zstd'> {
  if (!existsSync(path)) throw new Error(`there is no ${path}`);
  const addon = createRequire(import.meta.url)(path) as NativeAddon;
  const kernels = nativeKernels(addon, portable);
  // One that was built from other sources, with another layout say, would write journals that nobody can read.
  for (const sample of [recordSample, contentSample]) {
    if (!isDeepStrictEqual(sample(kernels), sample(portable))) throw new Error(`${path} belongs to another version`);
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
  const sealed = [bytes.slice(), state.slice(), kernels.checksum64(bytes, 4n)];
  state[STATE.chain] = 3n;
  const found = new Uint32Array(records + 1);
  return [sealed, kernels.checkRecords(bytes, 0, bytes.byteLength, state, found), state, found];
}

/** What an engine makes of a few chunks. */
function contentSample(kernels: Kernels): unknown {
  const bytes = Uint8Array.from({ length: 1000 }, (_, at) => at * at);
  const gear = Uint32Array.from({ length: GEAR_FIELDS }, (_, at) => Math.imul(at, 0x9e3779b1));
  gear.set([GEAR_WINDOW_BYTES, 3 * GEAR_WINDOW_BYTES, 2 ** 28]);
  const [cuts, tags] = [new Uint32Array(40), new BigUint64Array(40)];
  const count = kernels.digestChunks(bytes, 0, bytes.byteLength, gear, bytes.subarray(0, KEY_BYTES), cuts, tags);
  const difference = new Uint8Array(500);
  kernels.xorBytes(bytes.subarray(0, 500), bytes.subarray(500), difference);
  return [count, cuts, tags, difference];
}
