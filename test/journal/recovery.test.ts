import { expect, test } from 'vitest';
import {
  decideRecovery,
  type Findings,
  type HeaderFinding,
  matches,
  type ProofFinding,
  RECOVERY_TABLE,
  type RecordsFinding,
  type SealedFinding,
} from '../../src/journal/recovery.js';

const SEALED: SealedFinding[] = ['none', 'continuous', 'gap', 'bad', 'foreign', 'future'];
const HEADER: HeaderFinding[] = ['absent', 'sound', 'torn', 'bad', 'foreign', 'future'];
const RECORDS: RecordsFinding[] = ['whole', 'broken'];
const PROOF: ProofFinding[] = ['within', 'beyond'];

const combinations: Findings[] = SEALED.flatMap((sealed) =>
  HEADER.flatMap((header) => RECORDS.flatMap((records) => PROOF.map((proof) => ({ sealed, header, records, proof })))),
);

test('every combination of findings matches exactly one row', () => {
  expect(combinations).toHaveLength(144);
  for (const findings of combinations) {
    const rows = RECOVERY_TABLE.filter((row) => matches(row, findings)).map((row) => row.label);
    expect(rows, JSON.stringify(findings)).toHaveLength(1);
  }
});

test('every row is reached, and no two have the same label', () => {
  const reached = new Set(combinations.map((findings) => decideRecovery(findings).label));
  expect([...reached].sort()).toEqual(RECOVERY_TABLE.map((row) => row.label).sort());
});

test('the table keeps its promises', () => {
  for (const findings of combinations) {
    const { action } = decideRecovery(findings);
    const text = JSON.stringify(findings);
    // Nothing is dropped or taken as it is while something proves more than was read.
    if (findings.proof === 'beyond') expect(['create', 'accept', 'cut'], text).not.toContain(action);
    // Nothing is changed while a full segment is not what it should be.
    if (!['none', 'continuous'].includes(findings.sealed)) expect(action, text).toMatch(/^refuse/);
    // A broken end is never taken as it is.
    if (findings.header === 'sound' && findings.records === 'broken') expect(action, text).not.toBe('accept');
    // A new journal is only ever started where no segment is.
    if (action === 'create') expect(findings.header, text).toBe('absent');
  }
});
