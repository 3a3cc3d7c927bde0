import { expect, test } from 'vitest';
import { decide, isRefusal, matches, type Situation, VERDICTS } from '../../src/channel/verdict.js';

/** Every combination of what the two ends can hold. */
const SITUATIONS: Situation[] = [];
for (const version of ['common', 'none'] as const)
  for (const volume of ['same', 'other', 'none'] as const)
    for (const epoch of ['reached', 'newer'] as const)
      for (const newest of ['ahead', 'held', 'gone'] as const)
        for (const chain of ['equal', 'differs', 'unknown'] as const)
          for (const acknowledged of ['kept', 'regressed'] as const)
            for (const history of ['some', 'none'] as const)
              for (const holdsContent of [false, true])
                for (const adopt of [false, true]) {
                  const held = { newest, chain, acknowledged, history };
                  SITUATIONS.push({ version, volume, epoch, ...held, holdsContent, adopt });
                }

const possible = ({ volume, newest, chain }: Situation): boolean =>
  // The chain is looked up where the queue holds the number; a receiver without records has the chain of none.
  (newest === 'held') === (chain !== 'unknown') && !(volume === 'none' && newest === 'held' && chain === 'differs');

test('exactly one row of the table fits each combination', () => {
  expect(SITUATIONS).toHaveLength(2 * 3 * 2 * 3 * 3 * 2 * 2 * 2 * 2);
  for (const situation of SITUATIONS) {
    const rows = VERDICTS.filter((row) => matches(row, situation)).map(({ label }) => label);
    expect(rows, JSON.stringify(situation)).toHaveLength(1);
  }
});

test('every row fits something that can happen', () => {
  for (const row of VERDICTS) {
    expect(
      SITUATIONS.some((situation) => possible(situation) && matches(row, situation)),
      row.label,
    ).toBe(true);
  }
});

test('nothing is overwritten that this end does not know, unless somebody asked for it', () => {
  for (const situation of SITUATIONS) {
    const { action } = decide(situation);
    // Whom another node has taken over for is not put back in its place by asking for it.
    if (situation.volume === 'same' && situation.epoch === 'newer') expect(action).toBe('refuse');
    if (situation.adopt) continue;
    if (situation.volume === 'other') expect(action, JSON.stringify(situation)).toBe('refuse');
    if (situation.volume === 'same' && situation.newest === 'ahead') expect(action).toBe('refuse');
  }
});

test('records are sent on only where both ends agree on what came before, and the files came from there', () => {
  for (const situation of SITUATIONS.filter(possible)) {
    const { action } = decide(situation);
    if (action === 'refuse' || action === 'resync') continue;
    const agreed = { version: 'common', newest: 'held', chain: 'equal', holdsContent: false };
    expect(situation, JSON.stringify(situation)).toMatchObject(agreed);
    expect(situation.volume).not.toBe('other');
    if (action !== 'begin') expect(action).toBe(situation.history === 'none' ? 'literals' : 'resume');
  }
});

test('a verdict says why, and a refusal has its code', () => {
  for (const situation of SITUATIONS) {
    const verdict = decide(situation);
    expect(verdict.because).not.toBe('');
    if (verdict.action === 'refuse') expect(isRefusal(verdict.code)).toBe(true);
  }
});
