import { expect, test } from 'vitest';
import { CongestionChoice } from '../../src/channel/congestion-choice.js';

const ROUND_MS = 50;
const ROUND_BYTES = 100_000;

interface Rounds {
  part?: number;
  bytes?: number;
  /** Default: if anything is lost. */
  loses?: boolean;
}

function line() {
  let nowMs = 0;
  let told: boolean | undefined;
  const choice = new CongestionChoice({ now: () => nowMs, apply: (loses) => (told = loses) });
  /** Goes on for so long with a part of the bytes sent again in every round. */
  const goOn = (ms: number, { part = 0, bytes = ROUND_BYTES, loses }: Rounds = {}): boolean | undefined => {
    for (let end = nowMs + ms; nowMs < end; ) {
      nowMs += ROUND_MS;
      choice.note({ lossPart: part, queueMs: 0, sentBytes: bytes, resentBytes: bytes * part }, loses ?? part > 0);
    }
    return told;
  };
  return { goOn };
}

test('a line counts as losing until it has carried enough for long enough without', () => {
  const { goOn } = line();
  expect(goOn(2000)).toBe(true);
  expect(goOn(1000)).toBe(false);
});

test('what carries little tells little', () => {
  expect(line().goOn(10_000, { bytes: 1000 })).toBe(true);
});

test('a few losses keep it from being calm, and do not end that', () => {
  const { goOn } = line();
  for (let i = 0; i < 20; i++) {
    goOn(2000);
    expect(goOn(ROUND_MS, { part: 0.001, loses: false })).toBe(true);
  }
  expect(goOn(3000)).toBe(false);
  expect(goOn(ROUND_MS, { part: 0.001, loses: false })).toBe(false);
});

test('a line that begins to lose is not taken for calm again before a minute has passed', () => {
  const { goOn } = line();
  expect(goOn(3000)).toBe(false);
  expect(goOn(ROUND_MS, { part: 0.01 })).toBe(true);
  expect(goOn(59_000)).toBe(true);
  expect(goOn(2000)).toBe(false);
});
