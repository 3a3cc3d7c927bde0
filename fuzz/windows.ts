import assert from 'node:assert/strict';
import { decodeEnd, encodeEnd } from '../src/channel/end.js';
import { decodeJoin, encodeJoin, PATHS_MAX } from '../src/channel/join.js';
import { TOKEN_BYTES } from '../src/channel/messages.js';
import { ARRIVED_RANGES_MAX, decodeWindow, encodeWindow, type Window } from '../src/channel/window.js';
import { changed } from './changes.js';
import type { Random } from './random.js';
import { unlessRefused } from './soon.js';
import type { FuzzTarget } from './target.js';

const NUMBER_MAX = Number.MAX_SAFE_INTEGER;

/** What a WINDOW, a JOIN or an END says comes back as it was; a damaged one is refused, or says something that could be meant. */
export const windows: FuzzTarget = {
  name: 'windows',
  run(random) {
    const window = randomWindow(random);
    const body = encodeWindow(window);
    assert.deepEqual(decodeWindow(body), window);
    const heard = unlessRefused(() => decodeWindow(random.chance(0.8) ? changed(random, body) : random.bytes(40)));
    if (heard !== undefined) check(heard);
  },
};

export const joins: FuzzTarget = {
  name: 'joins',
  run(random) {
    const token = random.bytes(TOKEN_BYTES);
    const join = { session: random.u64(), token, path: random.below(PATHS_MAX), spare: random.chance(0.5) };
    const body = encodeJoin(join);
    assert.deepEqual(decodeJoin(body), join);
    const heard = unlessRefused(() => decodeJoin(random.chance(0.8) ? changed(random, body) : random.bytes(26)));
    if (heard === undefined) return;
    assert.ok(heard.path < PATHS_MAX);
    assert.equal(heard.token.byteLength, TOKEN_BYTES);
  },
};

export const ends: FuzzTarget = {
  name: 'ends',
  run(random) {
    const number = () => random.pick([0, random.below(300), random.u32(), NUMBER_MAX]);
    const end = { dataFrames: number(), controlFrames: number() };
    const body = encodeEnd(end);
    assert.deepEqual(decodeEnd(body), end);
    const heard = unlessRefused(() => decodeEnd(random.chance(0.8) ? changed(random, body) : random.bytes(4)));
    if (heard === undefined) return;
    for (const count of Object.values(heard)) assert.ok(Number.isSafeInteger(count) && count >= 0);
  },
};

/** In order, apart, and numbers that are exact. */
function check({ dataNext, controlNext, creditBytes, arrived }: Window): void {
  for (const number of [dataNext, controlNext, creditBytes]) assert.ok(Number.isSafeInteger(number) && number >= 0);
  assert.ok(arrived.length <= ARRIVED_RANGES_MAX);
  let end = dataNext;
  for (const { from, to } of arrived) {
    assert.ok(from >= end && to >= from && Number.isSafeInteger(to));
    end = to + 1;
  }
}

export function randomWindow(random: Random): Window {
  const dataNext = random.pick([0, random.below(100), random.u32()]);
  let end = dataNext;
  const arrived = Array.from({ length: random.below(ARRIVED_RANGES_MAX + 1) }, () => {
    const from = end + random.below(random.pick([3, 1000]));
    end = from + 1 + random.below(random.pick([3, 1000]));
    return { from, to: end - 1 };
  });
  const creditBytes = random.pick([0, random.u32(), NUMBER_MAX]);
  return { dataNext, controlNext: random.pick([0, random.below(100), NUMBER_MAX]), creditBytes, arrived };
}
