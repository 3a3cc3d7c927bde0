import { FEATURES } from '../engine/content-layout.js';
import { mixed } from './mixed.js';

/** What content that resembles other content has in common with it: a few tags, one of which being the same is enough. */
export type Sketch = Uint32Array<ArrayBuffer>;

/**
 * Each tag is made of three features. Of two contents that share a part r of their windows, all three are the same with a
 * probability of r^3, and one tag of four at least with 1 - (1 - r^3)^4: 0.94 for r = 0.8, 0.4 for a half.
 */
const FEATURES_A_TAG = 3;
export const SKETCH_TAGS = FEATURES / FEATURES_A_TAG;
export const SKETCH_WORDS = 2 * SKETCH_TAGS;

/** The start of a content says enough of it. */
const SKETCH_BYTES_MAX = 64 * 1024;
const SKETCH_BYTES_MIN = 512;
/** A sketch of fewer samples is about a few words, not about the content. */
const SAMPLES_MIN = 4;

/**
 * How much of a payload a sketch is made of; 0 for none. Short writes into the middle of something have none: a page of a
 * database resembles what it replaces, if anything.
 */
export function sketchedBytes(payloadBytes: number, offset: number): number {
  if (payloadBytes < SKETCH_BYTES_MIN || (offset > 0 && payloadBytes <= SKETCH_BYTES_MAX)) return 0;
  return Math.min(payloadBytes, SKETCH_BYTES_MAX);
}

/** The tags, low word then high word; undefined when there are too few samples. */
export function sketchOf(features: Uint32Array, samples: number): Sketch | undefined {
  if (samples < SAMPLES_MIN) return undefined;
  const words = new Uint32Array(SKETCH_WORDS);
  for (let tag = 0; tag < SKETCH_TAGS; tag++) {
    let [low, high] = [tag, ~tag];
    for (let index = FEATURES_A_TAG * tag; index < FEATURES_A_TAG * (tag + 1); index++) {
      low = mixed(low ^ (features[index] as number));
      high = mixed(Math.imul(high, 31) ^ (features[index] as number));
    }
    words[2 * tag] = low;
    words[2 * tag + 1] = high;
  }
  return words;
}
