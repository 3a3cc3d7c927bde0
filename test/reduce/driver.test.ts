import { describe, expect, test } from 'vitest';
import { ownCapability } from '../../src/engine/capability.js';
import { rounds, SEED } from '../support/seed.js';
import { newDirectory } from '../support/temp.js';
import { HAPPENINGS } from './driver/events.js';
import { Run, type RunOptions } from './driver/run.js';
import { Tally } from './driver/tally.js';

/** A little of what `npm run test:reduction` goes through a million times. */

const BATCHES = rounds(2000);
/** Then each of what can happen does so a dozen times. */
const PACE = 8;
const SEEDS = [SEED, SEED + 1];
const codecs = ownCapability().zstd ? (['zstd', 'lz4'] as const) : (['lz4'] as const);

const go = (options: Omit<RunOptions, 'dir'>): Promise<Tally> => new Run({ dir: newDirectory(), ...options }).go();

function sum(tallies: readonly Tally[]): Tally {
  const all = new Tally();
  for (const tally of tallies) for (const [what, count] of tally.counts) all.count(what, count);
  return all;
}

describe.each(codecs)('what goes through the reduction, with %s,', (codec) => {
  test('comes out as it was, whatever happens to either end and between them', async () => {
    const tallies: Tally[] = [];
    for (const seed of SEEDS) {
      const tally = await go({ seed, codec, batches: BATCHES, pace: PACE });
      expect(tally.problems, `seed ${seed}`).toEqual([]);
      tallies.push(tally);
    }
    const all = sum(tallies);
    const happened = [...HAPPENINGS.map(({ name }) => name), 'records cut off by an older copy'];
    const met = [
      'receiver met gone',
      ...['receiver', 'sender'].flatMap((whose) => [`${whose} met unreadable`, `${whose} met flipped`]),
    ];
    const sides = ['sender met sidesRead', 'sender met sidesLost', 'sender met sidesDamaged'];
    const used = ['misses', 'bases before their batch', ...(codec === 'zstd' ? ['frames with a prefix'] : [])];
    for (const what of [...happened, ...met, ...sides, ...used]) expect(all.of(what), what).toBeGreaterThan(0);
    // Copies of whole chunks, and what was found beside them, in bytes.
    for (const stage of ['copy', 'delta']) {
      const spared = all.of(`stage ${stage}, bytes in`) - all.of(`stage ${stage}, bytes out`);
      expect(spared, stage).toBeGreaterThan(10_000);
    }
  }, 60_000);

  test('is never asked for anew as long as both ends keep what they have promised', async () => {
    const tally = await go({ seed: SEED + 2, codec, batches: BATCHES, pace: PACE, calm: true });
    expect(tally.problems, `seed ${SEED + 2}`).toEqual([]);
    expect(tally.of('misses')).toBe(0);
    expect(tally.of('generations')).toBe(tally.of('sessions'));
    for (const what of ['cut', 'sender restarted', 'receiver restarted', 'bases before their batch'])
      expect(tally.of(what), what).toBeGreaterThan(0);
  }, 60_000);

  test('the canary: a log that believes what it is told is found out', async () => {
    const tally = await go({ seed: SEED, codec, batches: BATCHES, pace: PACE, trusting: true });
    expect(tally.problems.join('\n')).toContain('or other bytes');
  }, 60_000);
});
