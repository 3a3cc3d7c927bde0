import { type Capability, ownCapability } from '../engine/capability.js';
import { engine } from '../engine/engine.js';
import { LEVEL } from '../engine/zstd-arguments.js';
import { CodecMissingError, InvalidArgumentError } from '../errors.js';
import type { Compression } from '../options.js';

/** Which codec a session uses: what was asked for, as far as both ends have it. */

/** With a smaller window a stream is not worth its while. */
const WINDOW_LOG_MIN = 20;

/** What was asked for. */
export interface CompressionChoice {
  codec: 'auto' | 'none' | 'lz4' | 'zstd';
  /** Of zstd. */
  level: number;
}

/** What a session does with its batches. */
export type CodecPlan =
  | { codec: 'none' }
  /** `always`: no matter whether it is likely to gain. */
  | { codec: 'lz4'; always: boolean }
  | ZstdPlan;

export interface ZstdPlan {
  codec: 'zstd';
  level: number;
  windowLog: number;
}

/** Raises InvalidArgumentError, and CodecMissingError for zstd on an engine without it. */
export function parseCompression(name: string, value: Compression | string | undefined): CompressionChoice {
  const choice = choiceOf(value ?? 'auto');
  if (choice === undefined) {
    const { min, max, default: usual } = LEVEL;
    throw new InvalidArgumentError(
      name,
      value,
      `auto, none, lz4 or zstd, or zstd:LEVEL with a level from ${min} to ${max} (default ${usual})`,
    );
  }
  if (choice.codec === 'zstd' && !engine.codecs.includes('zstd')) {
    throw new CodecMissingError('zstd', engine.name, engine.reason);
  }
  return choice;
}

function choiceOf(value: string): CompressionChoice | undefined {
  if (value === 'auto' || value === 'none' || value === 'lz4' || value === 'zstd') {
    return { codec: value, level: LEVEL.default };
  }
  const digits = /^zstd:(\d{1,2})$/.exec(value)?.[1];
  const level = Number(digits);
  return digits !== undefined && level >= LEVEL.min && level <= LEVEL.max ? { codec: 'zstd', level } : undefined;
}

/** What both ends can do comes as near to what was asked for as possible. */
export function codecPlan(choice: CompressionChoice, peer: Capability, own: Capability = ownCapability()): CodecPlan {
  const { codec, level } = choice;
  if (codec === 'none') return { codec: 'none' };
  const windowLog = Math.min(own.windowLogMax, peer.windowLogMax);
  if (codec !== 'lz4' && own.zstd && peer.zstd && windowLog >= WINDOW_LOG_MIN) {
    return { codec: 'zstd', level, windowLog };
  }
  return peer.lz4 ? { codec: 'lz4', always: codec === 'lz4' } : { codec: 'none' };
}
