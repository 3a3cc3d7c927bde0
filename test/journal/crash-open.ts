import type { Random } from '../../fuzz/random.js';
import type { Journal } from '../../src/journal/journal.js';
import { fromFirst, judge } from './crash-judge.js';
import { type Promises, promiseMore } from './crash-promises.js';
import { CLOCK_START, openRun, payloadBytes, type RunOptions } from './crash-run.js';
import type { MemoryDisk } from './memory-disk.js';
import { readSides, straySides, writeSides } from './side-content.js';

/** One image of a disk: cuts its power, opens the journal, judges it, has it go on, and opens it again. */

const INTERRUPTIONS_MAX = 3;

export interface Opened {
  problem: string | undefined;
  /** The rows of the recovery table that were taken. */
  rows: string[];
  /** How many recoveries were cut off themselves. */
  interruptions: number;
  /** How many side files were found sound. */
  sides: number;
}

export async function openImage(
  options: RunOptions,
  disk: MemoryDisk,
  promised: Promises[],
  random: Random,
): Promise<Opened> {
  const image = new Image(options, disk, random, promised);
  const problem = await image.problem().catch((error: unknown) => {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  });
  return { ...image.report, problem };
}

class Image {
  readonly report = { rows: [] as string[], interruptions: 0, sides: 0 };
  private time = CLOCK_START * 2;

  constructor(
    private readonly options: RunOptions,
    private readonly disk: MemoryDisk,
    private readonly random: Random,
    private promised: Promises[],
  ) {}

  async problem(): Promise<string | undefined> {
    const { disk, random, report } = this;
    // Either the power is cut at once, or only the process ends, and the power is cut during or after the next recovery.
    const onlyProcess = random.chance(0.25);
    if (!onlyProcess) this.restart();
    for (let again = onlyProcess || random.chance(0.3); again; again = random.chance(0.3)) {
      if (report.interruptions === INTERRUPTIONS_MAX) break;
      await this.interrupt();
    }
    disk.revive();
    const journal = await this.open();
    report.rows = journal.recovery.rows;
    try {
      const problem = (await this.judge(journal)) ?? (await this.goOn(journal));
      if (problem !== undefined) return problem;
    } finally {
      await journal.close();
    }
    const strays = straySides(journal, disk.list(this.options.dir).keys());
    if (strays.length > 0) return `side files that no full segment has: ${strays.join()}`;
    return this.reopened(await this.open(), journal);
  }

  private open(): Promise<Journal> {
    return openRun(this.options, this.disk, () => ++this.time);
  }

  private restart(): void {
    this.disk.restart(() => this.random.chance(0.5));
  }

  private async judge(journal: Journal): Promise<string | undefined> {
    const { kept, problem } = await judge(journal, this.promised, this.options.durability === 'group');
    this.promised = kept;
    // Throws for one that is not its segment's.
    this.report.sides = [...(await readSides(journal)).values()].filter((there) => there).length;
    return problem;
  }

  /** A recovery that is cut off itself. What it reported before that, it had made durable. */
  private async interrupt(): Promise<void> {
    const { disk, random, report } = this;
    report.interruptions++;
    disk.cutAfter(random.below(random.pick([10, 40, 80])));
    const journal = await this.open().catch((error: unknown) => {
      if (!disk.dead) throw error;
    });
    if (journal !== undefined) {
      try {
        await this.note(journal);
      } finally {
        await journal.close().catch(() => {});
      }
    }
    this.restart();
  }

  /** What it was found to be, it stays; a journal that cannot be read through any more is judged by its last record. */
  private async note(journal: Journal): Promise<void> {
    const { disk } = this;
    const verdict = await judge(journal, this.promised, false).catch((error: unknown) => {
      if (!disk.dead) throw error;
    });
    if (verdict !== undefined && !disk.dead) {
      if (verdict.problem !== undefined) throw new Error(`after a recovery: ${verdict.problem}`);
      this.promised = verdict.kept;
    }
    this.promised = this.promised.map((each) => promiseMore(each, journal));
  }

  /** The journal takes more, in the same segment and in the next. */
  private async goOn(journal: Journal): Promise<string | undefined> {
    const { random } = this;
    const { last } = journal;
    const payloads = [10, random.below(60_000), 20_000].map((bytes) => payloadBytes(random, bytes));
    for (const [index, payload] of payloads.entries()) {
      const sequence = await journal.append(payload);
      if (sequence !== last + 1 + index) return `append gave number ${sequence} after ${last}`;
    }
    const records: Buffer[] = [];
    for await (const { payload } of journal.read(last + 1)) records.push(payload);
    if (records.length !== 3 || records.some((payload, index) => !payload.equals(payloads[index] ?? Buffer.alloc(0)))) {
      return 'what was appended after the recovery differs';
    }
    await writeSides(journal);
    await readSides(journal);
    // With a cursor of every name up to date, all but the last segment goes, and is used again.
    for (const { name } of journal.cursors()) await journal.cursor(name).advance(journal.last);
    await journal.append(payloadBytes(random, 60_000));
    return undefined;
  }

  private async reopened(again: Journal, before: Journal): Promise<string | undefined> {
    try {
      const { rows, rewritten, tails } = again.recovery;
      if (rows.join() !== 'sound' || rewritten !== 0 || tails.length > 0) return `the second open found ${rows.join()}`;
      if (again.last !== before.last || again.lastChain !== before.lastChain)
        return 'the second open found other records';
      return await fromFirst(again, async (first) => {
        let next = first;
        for await (const { sequence } of again.read(first)) if (sequence !== next++) return `no record ${next - 1}`;
        return next === again.last + 1 ? undefined : `records end with ${next - 1}`;
      });
    } finally {
      await again.close();
    }
  }
}
