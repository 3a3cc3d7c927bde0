import { engine } from './engine.js';
import { WINDOW_LOG } from './zstd-arguments.js';

/** What an end can restore besides what comes as it is. */
export interface Capability {
  lz4: boolean;
  zstd: boolean;
  /** Of zstd: windows of up to 2^windowLogMax bytes, as WINDOW_LOG bounds it; means nothing without. */
  windowLogMax: number;
}

/** What this end can restore. */
export function ownCapability(): Capability {
  return { lz4: true, zstd: engine.codecs.includes('zstd'), windowLogMax: WINDOW_LOG.default };
}
