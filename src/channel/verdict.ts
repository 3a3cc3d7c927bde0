/**
 * What the sender does with a receiver that has greeted it: a table over what the two ends are and hold. Content is
 * compared, not numbers alone: the chain at the receiver's newest record must be ours. A test walks every combination and
 * checks that exactly one row fits.
 */

export interface Situation {
  /** Whether there is a version of the protocol that both ends speak. */
  version: 'common' | 'none';
  /** The volume that the receiver's log belongs to. */
  volume: 'same' | 'other' | 'none';
  /** The epoch of the receiver's newest record of this volume against ours: a promotion that we missed has raised it. */
  epoch: 'reached' | 'newer';
  /** Where the receiver's newest record lies in our queue: beyond its end, in it (or just before its first), or before. */
  newest: 'ahead' | 'held' | 'gone';
  /** Our chain at that record against the receiver's; unknown where the queue does not reach. */
  chain: 'equal' | 'differs' | 'unknown';
  /** Whether the receiver still has what it once acknowledged. */
  acknowledged: 'kept' | 'regressed';
  /** Whether the receiver has records that what we send can refer to. */
  history: 'some' | 'none';
  /** The receiver's files did not come through its log: an adopted directory. */
  holdsContent: boolean;
  /** Someone asked on either end to take over whatever the receiver has. */
  adopt: boolean;
}

/**
 * `begin` sends from the first record on, `resume` from the one behind the receiver's newest, `literals` does the same and
 * refers to nothing before it; `resync` has the receiver start over with a full synchronisation.
 */
export type Action = 'begin' | 'resume' | 'literals' | 'resync';
const REFUSALS = ['PROTOCOL_VERSION', 'VOLUME_MISMATCH', 'EPOCH_STALE', 'PEER_NEWER'] as const;
export type RefusalCode = (typeof REFUSALS)[number];

export type Verdict = { action: Action; because: string } | { action: 'refuse'; because: string; code: RefusalCode };

interface Row {
  label: string;
  when: { [K in keyof Situation]?: readonly Situation[K][] };
  verdict: Action | RefusalCode;
}

const ALL = { version: ['common'] } as const;
const NEW = { ...ALL, volume: ['none'], holdsContent: [false] } as const;
const OURS = { ...ALL, volume: ['same'], epoch: ['reached'] } as const;
const EQUAL = { ...OURS, newest: ['held'], chain: ['equal'] } as const;

/** Rows are disjoint; what a row does not name may be anything. */
export const VERDICTS: readonly Row[] = [
  { label: 'no version in common', when: { version: ['none'] }, verdict: 'PROTOCOL_VERSION' },
  {
    label: 'the receiver serves another volume',
    when: { ...ALL, volume: ['other'], adopt: [false] },
    verdict: 'VOLUME_MISMATCH',
  },
  {
    label: 'the receiver served another volume and is taken over',
    when: { ...ALL, volume: ['other'], adopt: [true] },
    verdict: 'resync',
  },
  {
    label: 'an adopted directory with no records',
    when: { ...ALL, volume: ['none'], holdsContent: [true] },
    verdict: 'resync',
  },
  {
    label: 'a new receiver, and the queue reaches back to the beginning',
    when: { ...NEW, newest: ['held'], acknowledged: ['kept'] },
    verdict: 'begin',
  },
  {
    label: 'a new receiver in the place of one that had acknowledged records',
    when: { ...NEW, newest: ['held'], acknowledged: ['regressed'] },
    verdict: 'resync',
  },
  {
    label: 'a new receiver, and the beginning is no longer in the queue',
    when: { ...NEW, newest: ['ahead', 'gone'] },
    verdict: 'resync',
  },
  {
    label: 'the receiver follows a later epoch',
    when: { ...ALL, volume: ['same'], epoch: ['newer'] },
    verdict: 'EPOCH_STALE',
  },
  {
    label: 'the receiver has records that this end lacks',
    when: { ...OURS, newest: ['ahead'], adopt: [false] },
    verdict: 'PEER_NEWER',
  },
  {
    label: 'the receiver has records that this end lacks, and is taken over',
    when: { ...OURS, newest: ['ahead'], adopt: [true] },
    verdict: 'resync',
  },
  { label: 'the receiver is behind what the queue holds', when: { ...OURS, newest: ['gone'] }, verdict: 'resync' },
  {
    label: 'the records differ',
    when: { ...OURS, newest: ['held'], chain: ['differs', 'unknown'] },
    verdict: 'resync',
  },
  { label: 'an adopted directory on top of a log', when: { ...EQUAL, holdsContent: [true] }, verdict: 'resync' },
  {
    label: 'in step',
    when: { ...EQUAL, holdsContent: [false], acknowledged: ['kept'], history: ['some'] },
    verdict: 'resume',
  },
  {
    label: 'in step, and the receiver has nothing to refer to',
    when: { ...EQUAL, holdsContent: [false], acknowledged: ['kept'], history: ['none'] },
    verdict: 'literals',
  },
  {
    label: 'the receiver lost records that it had acknowledged, and the queue still has them',
    when: { ...EQUAL, holdsContent: [false], acknowledged: ['regressed'], history: ['some'] },
    verdict: 'resume',
  },
  {
    label: 'the receiver lost records that it had acknowledged, and has nothing to refer to',
    when: { ...EQUAL, holdsContent: [false], acknowledged: ['regressed'], history: ['none'] },
    verdict: 'literals',
  },
];

export function isRefusal(verdict: Action | RefusalCode): verdict is RefusalCode {
  return (REFUSALS as readonly string[]).includes(verdict);
}

export function matches(row: Row, situation: Situation): boolean {
  return (Object.keys(row.when) as (keyof Situation)[]).every((key) =>
    (row.when[key] as readonly unknown[]).includes(situation[key]),
  );
}

export function decide(situation: Situation): Verdict {
  const row = VERDICTS.find((candidate) => matches(candidate, situation));
  if (row === undefined) throw new Error(`no verdict for ${JSON.stringify(situation)}`);
  const { verdict, label: because } = row;
  return isRefusal(verdict) ? { action: 'refuse', because, code: verdict } : { action: verdict, because };
}
