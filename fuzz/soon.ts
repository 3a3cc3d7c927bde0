import assert from 'node:assert/strict';
import { ProtocolError } from '../src/errors.js';

/** What a peer's input may do: end in ProtocolError, and not hold up this end. */

const TRIES = 5;

/** Asserts that the work takes less than so many milliseconds; on a busy machine one try of several has to. */
export async function soon(milliseconds: number, work: () => unknown): Promise<void> {
  let least = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < TRIES && least >= milliseconds; tries++) {
    const begun = performance.now();
    await work();
    least = Math.min(least, performance.now() - begun);
  }
  assert.ok(least < milliseconds, `took ${Math.round(least)} ms, where ${milliseconds} are allowed`);
}

/** What the work returns; undefined when it ends in ProtocolError. Any other error escapes. */
export function unlessRefused<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}
