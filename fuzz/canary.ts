import assert from 'node:assert/strict';
import type { FuzzTarget } from './target.js';

/** A target that must fail within a few thousand runs: it proves that findings are found. Not part of a normal run. */
export const canary: FuzzTarget = {
  name: 'canary',
  run(random) {
    assert.notEqual(random.below(500), 123, 'the canary sang');
  },
};
