import { type Capability, ownCapability } from '../engine/capability.js';
import { engine } from '../engine/engine.js';
import { LEVEL } from '../engine/zstd-arguments.js';
import { CodecMissingError, InvalidArgumentError } from '../errors.js';
import type { Compression } from '../options.js';
import { frameBytesMin } from './frame-credit.js';
import { type Claim, encoderBytes, WINDOW_LOG_MIN } from './memory-budget.js';
import { LADDER, type Rung } from './pace.js';

/** Which codec a session uses: what was asked for, as far as both ends have it. */

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
  /** The highest level that there is memory for; default `level`. */
  levelMax?: number;
  /** What the peer wants to have of one frame before the next begins, in bytes of batches; default as its window is ours. */
  frameBytesMin?: number;
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
    return { codec: 'zstd', level, windowLog, frameBytesMin: frameBytesMin(peer.windowLogMax) };
  }
  return peer.lz4 ? { codec: 'lz4', always: codec === 'lz4' } : { codec: 'none' };
}

/** Below this window the tables of high levels take more than it does. */
const HIGH_LEVEL_WINDOW_LOG = 24;

/**
 * Takes the memory of a plan whose level goes up to `levelMax` if there is enough: else with its own level alone, with a
 * smaller window, or without zstd.
 */
export function affordable(plan: CodecPlan, peer: Capability, claim: Claim, levelMax: number): CodecPlan {
  if (plan.codec !== 'zstd') return plan;
  const take = (level: number) => claim.takeWindow(plan.windowLog, (log) => encoderBytes(level, log));
  if (levelMax > plan.level) {
    const windowLog = take(levelMax) ?? 0;
    if (windowLog >= Math.min(HIGH_LEVEL_WINDOW_LOG, plan.windowLog)) return { ...plan, windowLog, levelMax };
  }
  const windowLog = take(plan.level);
  if (windowLog !== undefined) return { ...plan, windowLog };
  return peer.lz4 ? { codec: 'lz4', always: false } : { codec: 'none' };
}

/** Up to here zstd at level 3 is faster than a link of this rate on any processor of late, so nothing below is of use. */
const SLOW_BYTES_PER_SECOND = 12.5e6;

/** What a session of this plan may choose from, when it may, below a ceiling of the rate. */
export function ladderOf(plan: CodecPlan, peer: Capability, rateBytesPerSecond = Number.POSITIVE_INFINITY): Rung[] {
  const isSlow = plan.codec === 'zstd' && rateBytesPerSecond <= SLOW_BYTES_PER_SECOND;
  const levelMin = isSlow ? LEVEL.default : 0;
  const levelMax = plan.codec === 'zstd' ? (plan.levelMax ?? plan.level) : 0;
  return LADDER.filter(({ codec, level }) => {
    if (level < levelMin || level > levelMax) return false;
    return codec === 'none' || (codec === 'lz4' ? peer.lz4 : plan.codec === 'zstd');
  });
}

/** What a session of this plan does as long as nobody chooses anything else. */
export function rungOf(plan: CodecPlan): Rung {
  return { codec: plan.codec, level: plan.codec === 'zstd' ? plan.level : 0 };
}
