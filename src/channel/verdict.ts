/**
 * What the sender does with a receiver that has greeted it: a table over what the two ends hold. Content is compared,
 * not numbers alone: the chain at the receiver's newest record must be ours. A test walks every combination and checks
 * that exactly one row fits.
 */

export interface Situation {
  /** The volume that the receiver's log belongs to. */
  volume: 'same' | 'other' | 'none';
  /** Where the receiver's newest record lies in our queue: beyond its end, in it (or just before its first), or before. */
  newest: 'ahead' | 'held' | 'gone';
  /** Our chain at that record against the receiver's; unknown where the queue does not reach. */
  chain: 'equal' | 'differs' | 'unknown';
  /** Whether the receiver still has what it once acknowledged. */
  acknowledged: 'kept' | 'regressed';
  /** The receiver's files did not come through its log: an adopted directory. */
  holdsContent: boolean;
  /** Someone asked on either end to take over whatever the receiver has. */
  adopt: boolean;
}

export type Verdict =
  | { action: 'continue'; because: string }
  | { action: 'resync'; because: string }
  | { action: 'refuse'; because: string; code: 'VOLUME_MISMATCH' | 'PEER_NEWER' };

interface Row {
  label: string;
  when: { [K in keyof Situation]?: readonly Situation[K][] };
  action: Verdict['action'];
  code?: 'VOLUME_MISMATCH' | 'PEER_NEWER';
}

/** Rows are disjoint; what a row does not name may be anything. */
export const VERDICTS: readonly Row[] = [
  {
    label: 'the receiver serves another volume',
    when: { volume: ['other'], adopt: [false] },
    action: 'refuse',
    code: 'VOLUME_MISMATCH',
  },
  {
    label: 'the receiver served another volume and is taken over',
    when: { volume: ['other'], adopt: [true] },
    action: 'resync',
  },
  { label: 'an adopted directory with no records', when: { volume: ['none'], holdsContent: [true] }, action: 'resync' },
  {
    label: 'a new receiver, and the queue reaches back to the beginning',
    when: { volume: ['none'], holdsContent: [false], newest: ['held'], acknowledged: ['kept'] },
    action: 'continue',
  },
  {
    label: 'a new receiver in the place of one that had acknowledged records',
    when: { volume: ['none'], holdsContent: [false], newest: ['held'], acknowledged: ['regressed'] },
    action: 'resync',
  },
  {
    label: 'a new receiver, and the beginning is no longer in the queue',
    when: { volume: ['none'], holdsContent: [false], newest: ['ahead', 'gone'] },
    action: 'resync',
  },
  {
    label: 'the receiver has records that this end lacks',
    when: { volume: ['same'], newest: ['ahead'], adopt: [false] },
    action: 'refuse',
    code: 'PEER_NEWER',
  },
  {
    label: 'the receiver has records that this end lacks, and is taken over',
    when: { volume: ['same'], newest: ['ahead'], adopt: [true] },
    action: 'resync',
  },
  {
    label: 'the receiver is behind what the queue holds',
    when: { volume: ['same'], newest: ['gone'] },
    action: 'resync',
  },
  {
    label: 'the records differ',
    when: { volume: ['same'], newest: ['held'], chain: ['differs', 'unknown'] },
    action: 'resync',
  },
  {
    label: 'an adopted directory on top of a log',
    when: { volume: ['same'], newest: ['held'], chain: ['equal'], holdsContent: [true] },
    action: 'resync',
  },
  {
    label: 'in step',
    when: { volume: ['same'], newest: ['held'], chain: ['equal'], holdsContent: [false], acknowledged: ['kept'] },
    action: 'continue',
  },
  {
    label: 'the receiver lost records that it had acknowledged, and the queue still has them',
    when: { volume: ['same'], newest: ['held'], chain: ['equal'], holdsContent: [false], acknowledged: ['regressed'] },
    action: 'continue',
  },
];

export function matches(row: Row, situation: Situation): boolean {
  return (Object.keys(row.when) as (keyof Situation)[]).every((key) =>
    (row.when[key] as readonly unknown[]).includes(situation[key]),
  );
}

export function decide(situation: Situation): Verdict {
  const row = VERDICTS.find((candidate) => matches(candidate, situation));
  if (row === undefined) throw new Error(`no verdict for ${JSON.stringify(situation)}`);
  if (row.action !== 'refuse') return { action: row.action, because: row.label };
  return { action: 'refuse', because: row.label, code: row.code ?? 'PEER_NEWER' };
}
