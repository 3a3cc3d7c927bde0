import { checked, type Kernels } from './kernels.js';
import { loadEngine } from './load.js';

const loaded = loadEngine(process.env.LONGHAUL_ENGINE);

/**
 * Which implementation of the byte-level work is in use: `native` where the addon was built and loads, else its twin
 * `portable`, and then `reason` says why. The environment's LONGHAUL_ENGINE asks for one of the two.
 */
export const engine = {
  name: loaded.name,
  codecs: ['none', 'lz4'],
  ...(loaded.reason !== undefined && { reason: loaded.reason }),
} as const;

export const kernels: Kernels = checked(loaded.kernels);
