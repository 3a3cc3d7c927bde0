import type { Journal, JournalRecord } from '../../src/journal/journal.js';
import { chainBehind } from './chain.js';
import type { Expected, Promises } from './crash-promises.js';

/** Whether a journal that was opened from an image keeps what had been promised. */

export interface Verdict {
  /** What may have been promised, as far as the journal keeps all of it. */
  kept: Promises[];
  /** What is wrong, when it keeps none. */
  problem: string | undefined;
}

/** While a reset or a cut is under way there are two things that the journal can be, and it has to be one of them. */
export async function judge(journal: Journal, promised: readonly Promises[], cursorsToo: boolean): Promise<Verdict> {
  const kept: Promises[] = [];
  const problems: string[] = [];
  for (const promises of promised) {
    const problem = await fromFirst(journal, (first) => judgeFrom(first, journal, promises, cursorsToo));
    if (problem === undefined) kept.push(promises);
    else problems.push(problem);
  }
  return { kept, problem: kept.length > 0 ? undefined : problems.join('; or else ') };
}

/** Looks at a journal from its first record on; again if segments that no cursor needs were freed meanwhile. */
export async function fromFirst(
  journal: Journal,
  look: (first: number) => Promise<string | undefined>,
): Promise<string | undefined> {
  for (;;) {
    const { first } = journal;
    try {
      const problem = await look(first);
      if (problem === undefined || journal.first === first) return problem;
    } catch (error) {
      if (journal.first === first) throw error;
    }
  }
}

async function judgeFrom(
  first: number,
  journal: Journal,
  promises: Promises,
  cursorsToo: boolean,
): Promise<string | undefined> {
  const { last } = journal;
  const { acknowledged, assigned, released, life } = promises;
  if (last < acknowledged) return `record ${acknowledged} was acknowledged, the last is ${last}`;
  if (last > assigned) return `the last is ${last}, but only ${assigned} had a number`;
  if (first < life.base) return `the first is ${first}, and the base ${life.base}`;
  if (first > Math.max(released, life.base - 1) + 1) return `the first is ${first}, but only ${released} was released`;
  return (
    (await judgeRecords(first, journal, promises)) ?? (cursorsToo ? judgeCursors(first, journal, promises) : undefined)
  );
}

async function judgeRecords(first: number, journal: Journal, { life }: Promises): Promise<string | undefined> {
  let chain = await journal.chainAt(first - 1);
  if (first === life.base && chain !== life.chain) return 'the chain before the first record differs';
  if (chain === undefined) return 'the chain before the first record is unknown';
  let next = first;
  for await (const record of journal.read(first)) {
    chain = chainBehind(chain, record);
    const problem = judgeRecord(record, next++, chain, life.records.get(record.sequence));
    if (problem !== undefined) return problem;
  }
  if (next !== journal.last + 1) return `records end with ${next - 1}, not with ${journal.last}`;
  return chain === journal.lastChain ? undefined : 'the chain of the last record differs';
}

function judgeRecord(
  record: JournalRecord,
  sequence: number,
  chain: bigint,
  expected: Expected | undefined,
): string | undefined {
  if (record.sequence !== sequence) return `record ${record.sequence} stands where ${sequence} belongs`;
  if (expected === undefined) return `record ${sequence} was never appended`;
  if (!record.payload.equals(expected.payload)) return `record ${sequence} has another payload`;
  if (record.chain !== chain) return `record ${sequence} has another chain than its content gives`;
  if (expected.chain !== undefined && expected.chain !== chain) return `record ${sequence} has another chain`;
  return undefined;
}

function judgeCursors(first: number, journal: Journal, { cursors, gone }: Promises): string | undefined {
  const found = new Map(journal.cursors().map(({ name, position }) => [name, position]));
  for (const [name, position] of found) {
    if (gone.has(name)) return `cursor ${name} was dropped and is back`;
    if (position > journal.last) return `cursor ${name} is at ${position}, behind the last record`;
    if (position < first - 1) return `cursor ${name} is at ${position}, and the first record is ${first}`;
  }
  for (const [name, { made, reached, asked }] of cursors) {
    const position = found.get(name);
    if (position === undefined && !made) continue;
    if (position === undefined) return `cursor ${name} is gone`;
    if (position < reached) return `cursor ${name} is at ${position}, but ${reached} was acknowledged`;
    if (position > asked) return `cursor ${name} is at ${position}, but only ${asked} was asked for`;
  }
  return undefined;
}
