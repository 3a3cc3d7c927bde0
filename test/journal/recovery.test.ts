import { expect, test } from 'vitest';
import { decideRecovery, type Findings, matches, RECOVERY_TABLE } from '../../src/journal/recovery/table.js';

/** Every value of every finding; the compiler sees to it that none is forgotten. */
const VALUES: { [K in keyof Findings]: Record<Findings[K], true> } = {
  segment: { present: true, absent: true },
  header: { valid: true, torn: true, bad: true, foreign: true, other: true },
  recordHeader: { valid: true, invalid: true },
  payload: { valid: true, invalid: true },
  chain: { valid: true, invalid: true },
  covered: { yes: true, no: true },
  last: { yes: true, no: true },
  validAfter: { yes: true, no: true },
  footer: { present: true, absent: true },
};

const combinations = Object.entries(VALUES).reduce<object[]>(
  (before, [finding, values]) =>
    before.flatMap((findings) => Object.keys(values).map((value) => ({ ...findings, [finding]: value }))),
  [{}],
) as Findings[];

const sound = ({ recordHeader, payload, chain }: Findings): boolean =>
  recordHeader === 'valid' && payload === 'valid' && chain === 'valid';

test('every combination of findings matches exactly one row', () => {
  expect(combinations).toHaveLength(1280);
  for (const findings of combinations) {
    const rows = RECOVERY_TABLE.filter((row) => matches(row, findings)).map((row) => row.label);
    expect(rows, JSON.stringify(findings)).toHaveLength(1);
    expect(decideRecovery(findings).label).toBe(rows[0]);
  }
});

test('every row is reached, and no two have the same label', () => {
  const reached = new Set(combinations.map((findings) => decideRecovery(findings).label));
  expect([...reached].sort()).toEqual(RECOVERY_TABLE.map((row) => row.label).sort());
});

test('what is none of the table is refused', () => {
  const findings = { ...(combinations[0] as Findings), last: 'perhaps' as 'yes' };
  expect(() => decideRecovery(findings)).toThrow('no row');
});

/** What the table promises: each holds for all combinations that `when` picks. */
const promises: [string, (findings: Findings) => boolean, RegExp][] = [
  [
    'records that something proves durable are never cut, set aside or passed over',
    (found) => found.last === 'yes' && found.covered === 'yes',
    /^refuse/,
  ],
  ['a full segment is taken whole or refused', (found) => found.last === 'no', /^(accept|refuse)/],
  [
    'records that are not sound are never taken',
    (found) => found.segment === 'present' && !sound(found),
    /^(cut|setAside|refuse)/,
  ],
  [
    'a sound segment that nothing contradicts is always taken',
    (found) => found.segment === 'present' && found.header === 'valid' && sound(found) && found.covered === 'no',
    /^accept$/,
  ],
  ['a journal is only begun where there is no segment', (found) => found.segment === 'present', /^(?!create)/],
  [
    'nothing of another journal or release is changed',
    (found) => found.segment === 'present' && ['foreign', 'other'].includes(found.header),
    /^refuse(Foreign|Version)$/,
  ],
  [
    'a segment with more than a bad header is kept',
    (found) => found.segment === 'present' && found.header === 'bad',
    /^refuse/,
  ],
];

test.each(promises)('%s', (_, when, action) => {
  const chosen = combinations.filter(when);
  expect(chosen.length).toBeGreaterThan(0);
  for (const findings of chosen) expect(decideRecovery(findings).action, JSON.stringify(findings)).toMatch(action);
});

test('a full segment is taken with and without its footer', () => {
  const full = {
    segment: 'present',
    header: 'valid',
    recordHeader: 'valid',
    payload: 'valid',
    chain: 'valid',
  } as const;
  for (const footer of ['present', 'absent'] as const) {
    const findings: Findings = { ...full, covered: 'yes', last: 'no', validAfter: 'no', footer };
    expect(decideRecovery(findings).action).toBe('accept');
  }
});

test('what is sound behind a hole does not change what is done', () => {
  for (const findings of combinations) {
    const other: Findings = { ...findings, validAfter: findings.validAfter === 'yes' ? 'no' : 'yes' };
    expect(decideRecovery(other).action).toBe(decideRecovery(findings).action);
  }
});
