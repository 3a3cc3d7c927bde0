/**
 * What `open` does with each segment it finds or misses, as a table. Each combination of findings matches exactly one
 * row; restore.ts looks at the disk and carries the row out.
 *
 * The one rule behind it: a record that something sound proves to have been durable is never dropped, and one that
 * nothing proves was never acknowledged and may go, because an unsynced group may reach the disk in part and in any
 * order.
 */

/**
 * `torn`: not sound, and no more than a header in the file, as when the machine stopped while the segment was made;
 * `bad`: not sound, though more was written behind it; `foreign`: of another volume; `other`: of another format version.
 */
export type HeaderFinding = 'valid' | 'torn' | 'bad' | 'foreign' | 'other';

export interface Findings {
  /** Whether the segment that should hold the next record is there. */
  segment: 'present' | 'absent';
  header: HeaderFinding;
  /** The first thing that is not sound: its headers, its payload, or how it follows from what comes before. */
  recordHeader: 'valid' | 'invalid';
  payload: 'valid' | 'invalid';
  chain: 'valid' | 'invalid';
  /** Whether a later header, a footer, a later segment or a cursor proves more records durable than were read. */
  covered: 'yes' | 'no';
  /** Whether it is the last segment. */
  last: 'yes' | 'no';
  /** Whether sound groups follow behind what is not sound. */
  validAfter: 'yes' | 'no';
  footer: 'present' | 'absent';
}

export type RecoveryAction =
  /** Start a new journal. */
  | 'create'
  /** Take it as it is: by its footer if that is there, or else as it was read. */
  | 'accept'
  /** Keep aside what follows the last sound group, and cut it off. */
  | 'cut'
  /** Keep the segment aside and look again. */
  | 'setAside'
  /** Records that were durable cannot be read. */
  | 'refuseDamage'
  /** A segment of another journal. */
  | 'refuseForeign'
  /** A segment that another release wrote. */
  | 'refuseVersion';

export interface RecoveryRow {
  label: string;
  /** What the row asks for; anything that is not named may be as it likes. */
  when: { [K in keyof Findings]?: readonly Findings[K][] };
  /** For what is not sound: at least one of the three is invalid, or none is. */
  records?: 'sound' | 'unsound';
  action: RecoveryAction;
}

export const RECOVERY_TABLE: readonly RecoveryRow[] = [
  {
    label: 'new journal',
    when: { segment: ['absent'], last: ['yes'], covered: ['no'] },
    action: 'create',
  },
  {
    label: 'all segments lost',
    when: { segment: ['absent'], last: ['yes'], covered: ['yes'] },
    action: 'refuseDamage',
  },
  {
    label: 'segment missing',
    when: { segment: ['absent'], last: ['no'] },
    action: 'refuseDamage',
  },
  {
    label: 'segment of another release',
    when: { segment: ['present'], header: ['other'] },
    action: 'refuseVersion',
  },
  {
    label: 'segment of another journal',
    when: { segment: ['present'], header: ['foreign'] },
    action: 'refuseForeign',
  },
  {
    label: 'header damaged',
    when: { segment: ['present'], header: ['bad'] },
    action: 'refuseDamage',
  },
  {
    label: 'full segment lost all but a torn header',
    when: { segment: ['present'], header: ['torn'], last: ['no'] },
    action: 'refuseDamage',
  },
  {
    label: 'records of the last segment lost, header too',
    when: { segment: ['present'], header: ['torn'], last: ['yes'], covered: ['yes'] },
    action: 'refuseDamage',
  },
  {
    label: 'last segment was just being made',
    when: { segment: ['present'], header: ['torn'], last: ['yes'], covered: ['no'] },
    action: 'setAside',
  },
  {
    label: 'full',
    when: { segment: ['present'], header: ['valid'], last: ['no'], footer: ['present'] },
    records: 'sound',
    action: 'accept',
  },
  {
    label: 'full, footer lost',
    when: { segment: ['present'], header: ['valid'], last: ['no'], footer: ['absent'] },
    records: 'sound',
    action: 'accept',
  },
  {
    label: 'record of a full segment damaged',
    when: { segment: ['present'], header: ['valid'], last: ['no'] },
    records: 'unsound',
    action: 'refuseDamage',
  },
  {
    label: 'sound',
    when: { segment: ['present'], header: ['valid'], last: ['yes'], covered: ['no'] },
    records: 'sound',
    action: 'accept',
  },
  {
    label: 'end of the last segment lost',
    when: { segment: ['present'], header: ['valid'], last: ['yes'], covered: ['yes'] },
    records: 'sound',
    action: 'refuseDamage',
  },
  {
    label: 'durable record damaged',
    when: { segment: ['present'], header: ['valid'], last: ['yes'], covered: ['yes'] },
    records: 'unsound',
    action: 'refuseDamage',
  },
  {
    label: 'torn tail',
    when: { segment: ['present'], header: ['valid'], last: ['yes'], covered: ['no'], validAfter: ['no'] },
    records: 'unsound',
    action: 'cut',
  },
  {
    // Sectors of one unsynced write land in any order, so what is sound behind a hole proves nothing.
    label: 'torn tail with sound parts',
    when: { segment: ['present'], header: ['valid'], last: ['yes'], covered: ['no'], validAfter: ['yes'] },
    records: 'unsound',
    action: 'cut',
  },
];

export function decideRecovery(findings: Findings): RecoveryRow {
  const row = RECOVERY_TABLE.find((candidate) => matches(candidate, findings));
  if (row === undefined) throw new Error(`the recovery table has no row for ${JSON.stringify(findings)}`);
  return row;
}

export function matches(row: RecoveryRow, findings: Findings): boolean {
  const { recordHeader, payload, chain } = findings;
  const records = recordHeader === 'valid' && payload === 'valid' && chain === 'valid' ? 'sound' : 'unsound';
  if (row.records !== undefined && row.records !== records) return false;
  return Object.entries(row.when).every(([finding, values]) =>
    (values as readonly string[]).includes(findings[finding as keyof Findings]),
  );
}
