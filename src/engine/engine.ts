import { checked, type Kernels } from './kernels.js';
import { loadEngine } from './load.js';
import { lz4Reason } from './lz4.js';

export type Codec = 'none' | 'lz4' | 'zstd';

/** Which implementation of the byte-level work is in use. */
export interface Engine {
  /**
   * `native` where an addon loads, the one that was built here or else the one that was installed; otherwise its twin
   * `portable`. The environment's LONGHAUL_ENGINE asks for one of the two.
   */
  readonly name: 'native' | 'portable';
  readonly codecs: readonly Codec[];
  /** The addon's file. */
  readonly library?: string;
  /** Why it is not `native`, not the addon that comes first, or not all that is compiled elsewhere. */
  readonly reason?: string;
}

const CODECS: readonly Codec[] = ['none', 'lz4'];

const loaded = loadEngine(process.env.LONGHAUL_ENGINE);
const { name, library } = loaded;
const reasons = [loaded.reason, lz4Reason && `LZ4 is done in JavaScript: ${lz4Reason}`].filter(
  (said) => said !== undefined,
);

export const engine: Engine = Object.freeze({
  name,
  codecs: Object.freeze(loaded.zstd === undefined ? CODECS : [...CODECS, 'zstd' as const]),
  ...(library !== undefined && { library }),
  ...(reasons.length > 0 && { reason: reasons.join('; ') }),
});

// An addon that is not there may be meant so; one that is broken is not.
if (loaded.faults.length > 0) {
  const said = name === 'native' ? '' : 'the portable engine serves: ';
  process.emitWarning(`${said}${loaded.reason}`, { type: 'LonghaulWarning', code: 'ADDON_NOT_LOADED' });
}

export const kernels: Kernels = checked(loaded.kernels);

/** The codec inside the addon, where there is one; callers take it from zstd-call.ts. */
export const zstdAddon = loaded.zstd;
