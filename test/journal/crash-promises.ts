import type { Journal } from '../../src/journal/journal.js';

/** What a journal has been asked for and has promised, noted beside the operations of its disk. */

/** What a record must be. */
export interface Expected {
  payload: Buffer;
  /** Undefined when the record went before anybody looked. */
  chain: bigint | undefined;
}

/** What a journal holds from one reset or cut to the next. */
export interface Life {
  base: number;
  /** The chain before record `base`. */
  chain: bigint;
  /** Everything that ever had a number in this life. */
  records: Map<number, Expected>;
}

/** What the journal had been asked and had promised when so many operations were done. */
export type Mark = { at: number } & (
  | { kind: 'assigned'; last: number }
  | { kind: 'acknowledged'; last: number }
  | { kind: 'cursorAsked'; name: string; position: number }
  | { kind: 'cursorReached'; name: string; position: number }
  | { kind: 'dropAsked'; name: string }
  | { kind: 'dropDone'; name: string }
  | { kind: 'resetAsked'; life: Life }
  | { kind: 'cutAsked'; life: Life; sequence: number }
  | { kind: 'newLife' }
  | { kind: 'sameLife' }
);

export type NewMark = Mark extends infer M ? (M extends Mark ? Omit<M, 'at'> : never) : never;

/** A cursor with the position that was acknowledged and the one that was asked for. */
export interface CursorPromise {
  /** Whether anything was ever acknowledged of it: before that it may be there or not. */
  made: boolean;
  reached: number;
  asked: number;
}

export interface Promises {
  life: Life;
  /** The newest record acknowledged, and the newest that ever had a number. */
  acknowledged: number;
  assigned: number;
  /** Up to where records may have been freed. */
  released: number;
  cursors: Map<string, CursorPromise>;
  /** Cursors that must not be there. */
  gone: Set<string>;
}

export function firstLife(): Life {
  return { base: 1, chain: 0n, records: new Map() };
}

function beginning(life: Life, before?: Promises): Promises {
  const at = life.base - 1;
  const cursors = [...(before?.cursors ?? [])].map(
    ([name, { made }]) => [name, { made, reached: at, asked: at }] as const,
  );
  const gone = new Set(before?.gone);
  return { life, acknowledged: at, assigned: at, released: at, cursors: new Map(cursors), gone };
}

/** What holds once a journal ends with `sequence`. */
function afterCut(before: Promises, life: Life, sequence: number): Promises {
  const upTo = (position: number) => Math.min(position, sequence);
  const cursors = [...before.cursors].map(
    ([name, { made, reached, asked }]) => [name, { made, reached: upTo(reached), asked: upTo(asked) }] as const,
  );
  return {
    life,
    acknowledged: upTo(before.acknowledged),
    assigned: sequence,
    released: upTo(before.released),
    cursors: new Map(cursors),
    gone: new Set(before.gone),
  };
}

/** What may be found when so many operations were done: two answers while a reset or a cut is under way. */
export function promisesAt(run: { firstLife: Life; marks: readonly Mark[] }, boundary: number): Promises[] {
  let now = beginning(run.firstLife);
  let pending: Promises | undefined;
  for (const mark of run.marks) {
    if (mark.at > boundary) break;
    if (mark.kind === 'resetAsked') pending = beginning(mark.life, now);
    else if (mark.kind === 'cutAsked') pending = afterCut(now, mark.life, mark.sequence);
    else if (mark.kind === 'newLife' || mark.kind === 'sameLife') {
      if (mark.kind === 'newLife') now = pending ?? now;
      pending = undefined;
    } else note(now, mark);
  }
  return pending === undefined ? [now] : [now, pending];
}

function note(
  promises: Promises,
  mark: Exclude<Mark, { kind: 'resetAsked' | 'cutAsked' | 'newLife' | 'sameLife' }>,
): void {
  const { cursors, gone } = promises;
  switch (mark.kind) {
    case 'assigned':
      promises.assigned = Math.max(promises.assigned, mark.last);
      break;
    case 'acknowledged':
      promises.acknowledged = Math.max(promises.acknowledged, mark.last);
      break;
    case 'cursorAsked': {
      const { made = false, reached = 0, asked = 0 } = cursors.get(mark.name) ?? {};
      cursors.set(mark.name, { made, reached, asked: Math.max(asked, mark.position) });
      gone.delete(mark.name);
      break;
    }
    case 'cursorReached': {
      const { reached = 0, asked = 0 } = cursors.get(mark.name) ?? {};
      cursors.set(mark.name, { made: true, asked, reached: Math.max(reached, mark.position) });
      break;
    }
    case 'dropAsked':
      cursors.delete(mark.name);
      break;
    case 'dropDone':
      gone.add(mark.name);
      break;
  }
  if (cursors.size === 0) return;
  const lowest = Math.min(...[...cursors.values()].map(({ asked }) => asked));
  promises.released = Math.max(promises.released, lowest);
}

/** What a journal that was opened says of itself is promised too. */
export function promiseMore(promises: Promises, journal: Journal): Promises {
  const cursors = new Map(promises.cursors);
  for (const { name, position } of journal.cursors()) {
    const known = cursors.get(name);
    if (known !== undefined) cursors.set(name, { ...known, made: true, reached: Math.max(known.reached, position) });
  }
  return { ...promises, acknowledged: Math.max(promises.acknowledged, journal.last), cursors };
}
