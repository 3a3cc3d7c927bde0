import { InvalidArgumentError } from '../errors.js';
import { integerOption, KIB, MIB } from '../options.js';
import { GEAR, GEAR_FIELDS, KEY_BYTES } from './content-layout.js';
import { expandKey } from './portable-digest.js';

const AVERAGE_BYTES = { min: 256, max: 16 * MIB, default: 16 * KIB };
const MIN_BYTES_MIN = 64;
const MAX_BYTES_MAX = 64 * MIB;
/** Below this distance between minimum and average the limit is too coarse for the average to come out. */
const SPREAD_BYTES_MIN = 64;
const HASH_RANGE = 2 ** 32;
const TABLE_LABEL = 'longhaul 2026 gear table';

export interface ChunkOptions {
  /** The secret of 32 bytes that the table and the digests derive from; without it nobody can tell where chunks end. */
  key: Uint8Array;
  /** What a chunk of random bytes has on average, from 256 bytes to 16 MiB. Default 16 KiB. */
  averageBytes?: number;
  /** The shortest chunk but for the last, from 64 bytes to `averageBytes` - 64. Default a quarter of the average. */
  minBytes?: number;
  /** The longest chunk, from `averageBytes` to 64 MiB. Default four times the average. */
  maxBytes?: number;
}

/**
 * The gear for these options. The table is the first 1,024 bytes of keyed BLAKE3's output for a label, as 256 numbers
 * of 32 bits, little endian. A hash ends a chunk with a probability of 1 / (average - minimum), so that minimum and
 * waiting time add up to the average; the share cut off by the maximum is 0.7 % with the default proportions.
 */
export function gearOf(options: ChunkOptions): Uint32Array {
  const averageBytes = integerOption('averageBytes', options.averageBytes, AVERAGE_BYTES);
  const minBytes = integerOption('minBytes', options.minBytes, {
    min: MIN_BYTES_MIN,
    max: averageBytes - SPREAD_BYTES_MIN,
    default: Math.floor(averageBytes / 4),
  });
  const maxBytes = integerOption('maxBytes', options.maxBytes, {
    min: averageBytes,
    max: MAX_BYTES_MAX,
    default: 4 * averageBytes,
  });
  if (!(options.key instanceof Uint8Array) || options.key.byteLength !== KEY_BYTES) {
    throw new InvalidArgumentError('key', options.key, `a Uint8Array of ${KEY_BYTES} bytes`);
  }
  const gear = new Uint32Array(GEAR_FIELDS);
  gear[GEAR.minBytes] = minBytes;
  gear[GEAR.maxBytes] = maxBytes;
  gear[GEAR.limit] = Math.floor(HASH_RANGE / (averageBytes - minBytes));
  const table = expandKey(options.key, Buffer.from(TABLE_LABEL));
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  for (let value = 0; value < 256; value++) gear[GEAR.table + value] = view.getUint32(4 * value, true);
  return gear;
}
