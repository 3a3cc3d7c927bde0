/**
 * What `open` does with what it finds, as a table. Each combination of findings matches exactly one row; restore.ts
 * looks at the disk and carries the row out.
 *
 * The one rule behind it: a record that something sound proves to have been durable is never dropped, and one that
 * nothing proves was never acknowledged and may go, because an unsynced group may reach the disk in part and in any
 * order.
 */

/** The segments before the last one, by their headers and names. */
export type SealedFinding = 'none' | 'continuous' | 'gap' | 'bad' | 'foreign' | 'future';

/**
 * The header of the last segment. `torn`: not sound, and nothing follows it, as when the machine stopped while the
 * segment was made; `bad`: not sound, though records were written behind it.
 */
export type HeaderFinding = 'absent' | 'sound' | 'torn' | 'bad' | 'foreign' | 'future';

/** The records of the last segment: sound to the end of the file, or not. */
export type RecordsFinding = 'whole' | 'broken';

/** Whether anything proves records durable beyond those read: a later header, a later segment's name or a cursor. */
export type ProofFinding = 'within' | 'beyond';

export interface Findings {
  sealed: SealedFinding;
  header: HeaderFinding;
  records: RecordsFinding;
  proof: ProofFinding;
}

export type RecoveryAction =
  /** Start a new journal. */
  | 'create'
  /** Take it as it is. */
  | 'accept'
  /** Keep aside what follows the last sound record, and cut it off. */
  | 'cut'
  /** Keep the last segment aside and look again. */
  | 'setAside'
  /** Records that were durable cannot be read. */
  | 'refuseDamage'
  /** A segment of another journal. */
  | 'refuseForeign'
  /** A segment that a later release wrote. */
  | 'refuseVersion';

export interface RecoveryRow {
  label: string;
  when: { [K in keyof Findings]: readonly Findings[K][] };
  action: RecoveryAction;
}

const ANY_RECORDS: readonly RecordsFinding[] = ['whole', 'broken'];
const ANY_PROOF: readonly ProofFinding[] = ['within', 'beyond'];
const GOOD_SEALED: readonly SealedFinding[] = ['none', 'continuous'];
const ANY_HEADER: readonly HeaderFinding[] = ['absent', 'sound', 'torn', 'bad', 'foreign', 'future'];

export const RECOVERY_TABLE: readonly RecoveryRow[] = [
  {
    label: 'sealed segment of a later release',
    when: { sealed: ['future'], header: ANY_HEADER, records: ANY_RECORDS, proof: ANY_PROOF },
    action: 'refuseVersion',
  },
  {
    label: 'sealed segment of another journal',
    when: { sealed: ['foreign'], header: ANY_HEADER, records: ANY_RECORDS, proof: ANY_PROOF },
    action: 'refuseForeign',
  },
  {
    label: 'sealed segment missing or damaged',
    when: { sealed: ['gap', 'bad'], header: ANY_HEADER, records: ANY_RECORDS, proof: ANY_PROOF },
    action: 'refuseDamage',
  },
  {
    label: 'last segment of a later release',
    when: { sealed: GOOD_SEALED, header: ['future'], records: ANY_RECORDS, proof: ANY_PROOF },
    action: 'refuseVersion',
  },
  {
    label: 'last segment of another journal',
    when: { sealed: GOOD_SEALED, header: ['foreign'], records: ANY_RECORDS, proof: ANY_PROOF },
    action: 'refuseForeign',
  },
  {
    label: 'last header damaged',
    when: { sealed: GOOD_SEALED, header: ['bad'], records: ANY_RECORDS, proof: ANY_PROOF },
    action: 'refuseDamage',
  },
  {
    label: 'last segment was just being made',
    when: { sealed: GOOD_SEALED, header: ['torn'], records: ANY_RECORDS, proof: ANY_PROOF },
    action: 'setAside',
  },
  {
    label: 'new journal',
    when: { sealed: GOOD_SEALED, header: ['absent'], records: ANY_RECORDS, proof: ['within'] },
    action: 'create',
  },
  {
    label: 'all segments lost',
    when: { sealed: GOOD_SEALED, header: ['absent'], records: ANY_RECORDS, proof: ['beyond'] },
    action: 'refuseDamage',
  },
  {
    label: 'sound',
    when: { sealed: GOOD_SEALED, header: ['sound'], records: ['whole'], proof: ['within'] },
    action: 'accept',
  },
  {
    label: 'end of the last segment lost',
    when: { sealed: GOOD_SEALED, header: ['sound'], records: ['whole'], proof: ['beyond'] },
    action: 'refuseDamage',
  },
  {
    label: 'torn tail',
    when: { sealed: GOOD_SEALED, header: ['sound'], records: ['broken'], proof: ['within'] },
    action: 'cut',
  },
  {
    label: 'durable record damaged',
    when: { sealed: GOOD_SEALED, header: ['sound'], records: ['broken'], proof: ['beyond'] },
    action: 'refuseDamage',
  },
];

export function decideRecovery(findings: Findings): RecoveryRow {
  const row = RECOVERY_TABLE.find((candidate) => matches(candidate, findings));
  if (row === undefined) throw new Error(`the recovery table has no row for ${JSON.stringify(findings)}`);
  return row;
}

export function matches(row: RecoveryRow, findings: Findings): boolean {
  return (
    row.when.sealed.includes(findings.sealed) &&
    row.when.header.includes(findings.header) &&
    row.when.records.includes(findings.records) &&
    row.when.proof.includes(findings.proof)
  );
}
