import { InvalidArgumentError } from './errors.js';

/** Units and validation shared by every options object. Sizes are bytes, rates bytes per second, times milliseconds. */

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;

/** The largest payload of one record. */
export const PAYLOAD_BYTES_MAX = 16 * MIB;
/** The longest key of one record. */
export const KEY_BYTES_MAX = 4096 + 256;

export type AckLevel = 'local' | 'logged' | 'applied';
/** What counts more: few bytes on the wire, or records that arrive soon. */
export type Prefer = 'bytes' | 'latency';
/** Whether what goes to a peer takes its part of the line, or only what others leave. */
export type Priority = 'normal' | 'background';
export type Compression = 'auto' | 'none' | 'lz4' | 'zstd' | `zstd:${number}`;

export interface Bounds {
  min: number;
  max: number;
  default: number;
}

/** Checks an integer option and fills in its default. */
export function integerOption(name: string, value: number | undefined, bounds: Bounds): number {
  if (value === undefined) return bounds.default;
  if (!Number.isSafeInteger(value) || value < bounds.min || value > bounds.max) {
    throw new InvalidArgumentError(
      name,
      value,
      `an integer from ${bounds.min} to ${bounds.max} (default ${bounds.default})`,
    );
  }
  return value;
}

/** Checks an option that takes one of a few words. */
export function choiceOption<T extends string>(name: string, value: unknown, choices: readonly T[], fallback: T): T {
  if (value === undefined) return fallback;
  if (!choices.includes(value as T)) throw new InvalidArgumentError(name, value, `one of ${choices.join(', ')}`);
  return value as T;
}

export function directoryOption(name: string, value: unknown): string {
  if (typeof value !== 'string' || value.length === 0 || value.includes('\0')) {
    throw new InvalidArgumentError(name, value, 'the path of a directory');
  }
  return value;
}

const RATE_UNITS: Record<string, number> = {
  bit: 1 / 8,
  kbit: 1e3 / 8,
  mbit: 1e6 / 8,
  gbit: 1e9 / 8,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: KIB,
  mib: MIB,
  gib: GIB,
};
const SIZE_UNITS: Record<string, number> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: KIB,
  mib: MIB,
  gib: GIB,
  tib: 1024 * GIB,
};

export const RATE_BYTES_PER_SECOND_MIN = 1000;
export const RATE_BYTES_PER_SECOND_MAX = 1e12;

/** A rate in bytes per second, from a number of bytes per second or text such as `20mbit` or `2.5MB` (per second). */
export function parseRate(name: string, value: string | number): number {
  const expected = 'a rate such as 20mbit or 2.5MB (per second), from 8kbit to 8000gbit';
  const rate = typeof value === 'number' ? value : scaled(value.replace(/(\/s|ps)$/i, ''), RATE_UNITS);
  if (rate !== undefined && rate >= RATE_BYTES_PER_SECOND_MIN && rate <= RATE_BYTES_PER_SECOND_MAX) return rate;
  throw new InvalidArgumentError(name, value, expected);
}

/** A size in bytes, from a number of bytes or text such as `64mib`, `1gib` or `10MB`. */
export function parseSize(name: string, value: string | number): number {
  const size = typeof value === 'number' ? value : scaled(value, SIZE_UNITS);
  if (size === undefined || !Number.isSafeInteger(Math.round(size)) || size < 0) {
    throw new InvalidArgumentError(name, value, 'a size such as 64mib, 1gib or 10MB');
  }
  return Math.round(size);
}

/** A time in milliseconds, from text such as `500ms`, `10s` or `2m`; a bare number counts seconds. */
export function parseDuration(name: string, value: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/i.exec(value.trim());
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match?.[2]?.toLowerCase() ?? 's'];
  if (match?.[1] === undefined || unit === undefined) {
    throw new InvalidArgumentError(name, value, 'a time such as 10s, 500ms or 2m');
  }
  return Math.round(Number(match[1]) * unit);
}

function scaled(text: string, units: Record<string, number>): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  if (match?.[1] === undefined) return undefined;
  const unit = match[2] === '' ? 1 : units[(match[2] ?? '').toLowerCase()];
  return unit === undefined ? undefined : Number(match[1]) * unit;
}
