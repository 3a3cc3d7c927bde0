import type { Random } from '../../../fuzz/random.js';
import type { MemoryJournal } from './memory-journal.js';

/** What happens to a run, and how many batches there are between two of a kind, about. */

/** A run, as far as something happens to it. */
export interface Stricken {
  readonly random: Random;
  readonly sender: MemoryJournal;
  readonly receiver: MemoryJournal;
  /** What the sender knows to be logged. */
  readonly acked: number;
  /** Ends the session; then something may happen before the next one. */
  cut(then?: (run: Stricken) => void | Promise<void>): void;
  restartSender(): Promise<void>;
  restartReceiver(meanwhile?: () => void): Promise<void>;
  copyReceiver(): void;
  restoreReceiver(): Promise<void>;
}

export interface Happening {
  name: string;
  every: number;
  /** It takes something away from the peers' histories: not in a calm run. */
  isFault: boolean;
  happen: (run: Stricken) => void;
}

/** Faults are put among so many of the newest records, or anywhere. */
const NEAR_RECORDS = 40;

export const HAPPENINGS: readonly Happening[] = [
  { name: 'cut', every: 300, isFault: false, happen: (run) => run.cut() },
  { name: 'sender restarted', every: 2000, isFault: false, happen: (run) => run.cut((r) => r.restartSender()) },
  { name: 'receiver restarted', every: 2000, isFault: false, happen: (run) => run.cut((r) => r.restartReceiver()) },
  { name: 'copy taken of the receiver', every: 1500, isFault: false, happen: (run) => run.copyReceiver() },
  {
    name: 'older copy put in its place',
    every: 1500,
    isFault: false,
    happen: (run) => run.cut((r) => r.restoreReceiver()),
  },
  {
    name: 'older history lost',
    every: 2500,
    isFault: false,
    happen: (run) => run.cut((r) => r.restartReceiver(() => r.receiver.giveWay(r.receiver.last))),
  },
  {
    name: 'disk short, history given up within a session',
    every: 600,
    isFault: true,
    happen: (run) => run.receiver.giveWay(place(run, run.receiver.first, run.receiver.last)),
  },
  { name: 'records of the receiver unreadable', every: 150, isFault: true, happen: (run) => spoil(run, 'unreadable') },
  { name: 'records of the receiver changed', every: 150, isFault: true, happen: (run) => spoil(run, 'flipped') },
  {
    name: 'records of the sender unreadable',
    every: 150,
    isFault: false,
    happen: (run) => spoilPassed(run, 'unreadable'),
  },
  {
    name: 'records of the sender changed',
    every: 80,
    isFault: true,
    happen: (run) => spoilPassed(run, 'flipped'),
  },
  {
    name: 'history of the sender freed',
    every: 1200,
    isFault: false,
    happen: (run) => run.sender.giveWay(Math.min(passed(run) ?? 0, run.sender.neededFrom)),
  },
];

function spoil(run: Stricken, how: 'unreadable' | 'flipped'): void {
  const { receiver } = run;
  if (receiver.last < receiver.first) return;
  const from = place(run, receiver.first, receiver.last);
  for (let sequence = from; sequence <= from + run.random.below(5); sequence++) receiver.faults[how].add(sequence);
}

function spoilPassed(run: Stricken, how: 'unreadable' | 'flipped'): void {
  const sequence = passed(run);
  if (sequence !== undefined) run.sender.faults[how].add(sequence);
}

/** A record of the sender that no session will start from, if it has one. */
function passed({ sender, random, acked }: Stricken): number | undefined {
  if (acked < sender.first) return undefined;
  return random.between(random.chance(1 / 2) ? Math.max(sender.first, acked - NEAR_RECORDS) : sender.first, acked);
}

function place({ random }: Stricken, first: number, last: number): number {
  const near = random.chance(1 / 2) ? Math.max(first, last - NEAR_RECORDS) : first;
  return random.between(near, last);
}
