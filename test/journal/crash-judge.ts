import type { Journal, JournalRecord } from '../../src/journal/journal.js';
import { chainBehind } from './chain.js';
import type { Expected, Life, Mark, RecordedRun } from './crash-run.js';

/** What a journal had promised at some point of a run, and whether one that was opened from an image keeps it. */

export interface Promises {
  life: Life;
  /** The newest record acknowledged, and the newest that ever had a number. */
  acknowledged: number;
  assigned: number;
  /** Up to where records may have been freed. */
  released: number;
  /** Cursors with the positions that were acknowledged and those that were asked for. */
  cursors: Map<string, { reached: number; asked: number }>;
}

const FIRST_LIFE: Life = { base: 1, chain: 0n };

function beginning(life: Life, cursors: Iterable<string> = []): Promises {
  const at = life.base - 1;
  const positions = new Map([...cursors].map((name) => [name, { reached: at, asked: at }]));
  return { life, acknowledged: at, assigned: at, released: at, cursors: positions };
}

/** What may be found when so many operations were done: two answers while a reset is under way. */
export function promisesAt(run: RecordedRun, boundary: number): Promises[] {
  let now = beginning(FIRST_LIFE);
  let pending: Promises | undefined;
  for (const mark of run.marks) {
    if (mark.at > boundary) break;
    if (mark.kind === 'resetAsked') pending = beginning(mark.life, now.cursors.keys());
    else if (mark.kind === 'resetDone') {
      now = pending ?? now;
      pending = undefined;
    } else note(now, mark);
  }
  return pending === undefined ? [now] : [now, pending];
}

function note(promises: Promises, mark: Exclude<Mark, { kind: 'resetAsked' | 'resetDone' }>): void {
  const { cursors } = promises;
  switch (mark.kind) {
    case 'assigned':
      promises.assigned = Math.max(promises.assigned, mark.last);
      break;
    case 'acknowledged':
      promises.acknowledged = Math.max(promises.acknowledged, mark.last);
      break;
    case 'cursorAsked': {
      const { reached = 0, asked = 0 } = cursors.get(mark.name) ?? {};
      cursors.set(mark.name, { reached, asked: Math.max(asked, mark.position) });
      break;
    }
    case 'cursorReached': {
      const { reached = 0, asked = 0 } = cursors.get(mark.name) ?? {};
      cursors.set(mark.name, { asked, reached: Math.max(reached, mark.position) });
      break;
    }
    case 'cursorDropped':
      cursors.delete(mark.name);
      break;
  }
  if (cursors.size === 0) return;
  const lowest = Math.min(...[...cursors.values()].map(({ asked }) => asked));
  promises.released = Math.max(promises.released, lowest);
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

/** Says what is wrong with a journal that was opened from an image; undefined when every promise is kept. */
export function judge(journal: Journal, run: RecordedRun, promised: Promises[]): Promise<string | undefined> {
  return fromFirst(journal, (first) => judgeFrom(first, journal, run, promised));
}

async function judgeFrom(
  first: number,
  journal: Journal,
  run: RecordedRun,
  promised: Promises[],
): Promise<string | undefined> {
  const { last, lastChain } = journal;
  const promises = promised.find((each) => fits(each, journal)) ?? promised[0];
  if (promises === undefined) return 'nothing was promised';
  const { acknowledged, assigned, released, life } = promises;
  if (last < acknowledged) return `record ${acknowledged} was acknowledged, the last is ${last}`;
  if (last > assigned) return `the last is ${last}, but only ${assigned} had a number`;
  if (first > Math.max(released, life.base - 1) + 1) return `the first is ${first}, but only ${released} was released`;
  let chain = await journal.chainAt(first - 1);
  if (first === life.base && chain !== life.chain) return 'the chain before the first record differs';
  if (chain === undefined) return 'the chain before the first record is unknown';
  let next = first;
  for await (const record of journal.read(first)) {
    chain = chainBehind(chain, record);
    const problem = judgeRecord(record, next++, chain, run.records.get(record.sequence));
    if (problem !== undefined) return problem;
  }
  if (next !== last + 1) return `records end with ${next - 1}, not with ${last}`;
  if (chain !== lastChain) return 'the chain of the last record differs';
  return run.options.durability === 'group' ? judgeCursors(journal, promises) : undefined;
}

/** Whether a journal can be the one that these were promised of. */
export function fits({ life, assigned }: Promises, journal: Journal): boolean {
  if (journal.last < life.base - 1 || journal.last > assigned) return false;
  return journal.last > life.base - 1 || journal.lastChain === life.chain;
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

function judgeCursors(journal: Journal, { cursors }: Promises): string | undefined {
  const found = new Map(journal.cursors().map(({ name, position }) => [name, position]));
  for (const [name, { reached }] of cursors) {
    const position = found.get(name);
    // A cursor that was asked for and not acknowledged may be there or not.
    if (position === undefined && reached === 0) continue;
    if (position === undefined) return `cursor ${name} is gone`;
    if (position < reached) return `cursor ${name} is at ${position}, but ${reached} was acknowledged`;
    if (position > journal.last) return `cursor ${name} is at ${position}, behind the last record`;
  }
  return undefined;
}
