import { FEATURES, GEAR, GEAR_WINDOW_BYTES } from './content-layout.js';

/**
 * Features by which content that resembles other content is found: N-transform super-features (Shilane et al., FAST 2012)
 * over hashes that are sampled by their value (Zou et al., Odess, ICDE 2021). Of the gear's hashes of whole windows one in
 * 64 is a sample; a feature is the largest that one linear function, from the gear's table, makes of a sample.
 */

const SAMPLE_LIMIT = 2 ** 26;
/** Where in the table the addends of the functions begin; their factors are at its start. */
const ADDENDS = 128;

export function sketch(
  bytes: Uint8Array,
  start: number,
  end: number,
  gear: Uint32Array,
  features: Uint32Array,
): number {
  features.fill(0, 0, FEATURES);
  const table = gear.subarray(GEAR.table);
  const firstWhole = start + GEAR_WINDOW_BYTES - 1;
  let hash = 0;
  let samples = 0;
  for (let at = start; at < end; at++) {
    hash = ((hash << 1) + (table[bytes[at] as number] as number)) | 0;
    if (at < firstWhole || hash >>> 0 >= SAMPLE_LIMIT) continue;
    samples++;
    addSample(hash, table, features);
  }
  return samples;
}

function addSample(hash: number, table: Uint32Array, features: Uint32Array): void {
  for (let index = 0; index < FEATURES; index++) {
    const value = (Math.imul(hash, (table[index] as number) | 1) + (table[ADDENDS + index] as number)) >>> 0;
    if (value > (features[index] as number)) features[index] = value;
  }
}
