import { MATCH_FIELDS } from './content-layout.js';
import { kernels } from './engine.js';

/** A stretch of one content that another holds. */
export interface Match {
  start: number;
  /** Where in the other. */
  from: number;
  length: number;
}

const MATCHES_AT_ONCE = 4096;
const found = new Uint32Array(MATCH_FIELDS * MATCHES_AT_ONCE);

/** The stretches of `target` that `base` holds, in order, of at least `lengthMin` bytes. */
export function matchesOf(base: Uint8Array, target: Uint8Array, lengthMin = 0): Match[] {
  const matches: Match[] = [];
  for (let at = 0; ; ) {
    const count = kernels.matchBytes(base, target, at, found);
    for (let index = 0; index < MATCH_FIELDS * count; index += MATCH_FIELDS) {
      const [start, from, length] = [found[index] as number, found[index + 1] as number, found[index + 2] as number];
      if (length >= lengthMin) matches.push({ start, from, length });
      at = start + length;
    }
    if (count < MATCHES_AT_ONCE) return matches;
  }
}
