import { checked, type Kernels } from './kernels.js';
import { loadEngine } from './load.js';

export type Codec = 'none' | 'lz4' | 'zstd';

const CODECS: readonly Codec[] = ['none', 'lz4'];

const loaded = loadEngine(process.env.LONGHAUL_ENGINE);

/**
 * Which implementation of the byte-level work is in use: `native` where the addon was built and loads, else its twin
 * `portable`, and then `reason` says why. The environment's LONGHAUL_ENGINE asks for one of the two. `codecs` are the
 * ones that it has.
 */
export const engine = {
  name: loaded.name,
  codecs: loaded.zstd === undefined ? CODECS : ([...CODECS, 'zstd'] as const),
  ...(loaded.reason !== undefined && { reason: loaded.reason }),
} as const;

export const kernels: Kernels = checked(loaded.kernels);

/** The codec inside the addon, where there is one; callers take it from zstd-call.ts. */
export const zstdAddon = loaded.zstd;
