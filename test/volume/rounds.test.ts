import { describe, expect, test } from 'vitest';
import { letFilesSettle } from '../support/clock.js';
import { mutate } from '../support/mutations.js';
import { Pair } from '../support/pair.js';
import { randomFor, rounds, SEED } from '../support/seed.js';
import { makeRandomTree } from '../support/tree.js';

const SHAPE = { entries: 60, fileBytesMax: 1_200_000 };

/** Rounds of changes to one tree; each one must leave an exact copy behind. Returns how many files were moved. */
async function runRounds(salt: number, count: number): Promise<number> {
  const random = randomFor(salt);
  const pair = Pair.at({ sender: { segmentBytes: 1024 * 1024 }, volume: { allowMassDelete: true } });
  makeRandomTree(pair.source, random, SHAPE);
  await pair.openReceiver();
  await pair.openSender();
  let moved = 0;
  let story = ['first copy'];
  for (let round = 1; round <= count; round++) {
    const context = `LONGHAUL_SEED=${SEED}, salt ${salt}, round ${round}:\n${story.join('\n')}`;
    const result = await pair.sync();
    expect(pair.differences(), context).toEqual([]);
    expect(result.repaired, `repaired, ${context}`).toBe(0);
    moved += result.moved;
    story = mutate(pair.source, random, random.between(1, 12));
    if (random.chance(0.2)) await pair.closeSender().then(() => pair.openSender());
    if (random.chance(0.2)) await pair.closeReceiver().then(() => pair.openReceiver());
  }
  return moved;
}

describe('random changes leave an exact copy', () => {
  test('when files have lain still between two looks', async () => {
    letFilesSettle();
    expect(await runRounds(1, rounds(30)), 'moves seen in all rounds').toBeGreaterThan(10);
  }, 3_600_000);

  test('when files change right before they are looked at', async () => {
    await runRounds(2, rounds(10));
  }, 3_600_000);
});
