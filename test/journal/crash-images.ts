import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../../fuzz/random.js';
import type { Journal } from '../../src/journal/journal.js';
import { fits, fromFirst, judge, type Promises, promisesAt } from './crash-judge.js';
import { CLOCK_START, openRun, type RecordedRun, recordRun } from './crash-run.js';
import { MemoryDisk } from './memory-disk.js';

/**
 * Every disk that a power cut can leave. A run of a journal is recorded operation by operation. For a boundary between
 * two of them the disk is built anew up to there, the power is cut, and what was not synced is kept or lost by lot,
 * sector by sector and name by name. The journal is opened from that image, at times after a recovery that was itself
 * cut off, and has to keep every promise made by then.
 */

export interface ImageOptions {
  images: number;
  seed: number;
  /** Images of one run; the next ones come from another run. */
  imagesPerRun?: number;
  /** A disk that forgets to sync files, to see that this is found. */
  lyingDisk?: boolean;
  /** The one image to look at, counted from 0. */
  only?: number | undefined;
  log?: (line: string) => void;
}

export interface ImageReport {
  images: number;
  runs: number;
  problems: string[];
  /** How often recovery took which row of its table, and how many segments of all runs were made from spare files. */
  rows: Map<string, number>;
  recycled: number;
}

const IMAGES_PER_RUN = 500;

export async function checkImages(o: ImageOptions): Promise<ImageReport> {
  const report: ImageReport = { images: 0, runs: 0, problems: [], rows: new Map(), recycled: 0 };
  const perRun = o.imagesPerRun ?? IMAGES_PER_RUN;
  const dir = mkdtempSync(join(tmpdir(), 'longhaul-images-'));
  try {
    for (let first = 0; first < o.images; first += perRun) {
      const numbers = Array.from({ length: Math.min(perRun, o.images - first) }, (_, index) => first + index);
      if (o.only !== undefined && !numbers.includes(o.only)) continue;
      const run = await recorded(dir, o.seed, first);
      report.runs++;
      report.recycled += run.operations.filter(({ kind, ...rest }) => kind === 'rename' && isSpare(rest)).length;
      for (const number of o.only === undefined ? numbers : [o.only]) await checkImage(run, o, number, report);
      o.log?.(`${report.images} images of ${report.runs} runs, ${report.problems.length} problems`);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return report;
}

function isSpare(operation: object): boolean {
  return 'from' in operation && String(operation.from).endsWith('.spare');
}

/** The run that the images from a number on are made of; every fourth is one without syncs. */
function recorded(dir: string, seed: number, first: number): Promise<RecordedRun> {
  const random = new Random((seed ^ Math.imul(first + 1, 0x9e3779b1)) >>> 0);
  return recordRun(
    {
      dir,
      durability: random.below(4) === 0 ? 'none' : 'group',
      historyBytes: random.pick([0, 0, 0, 100_000]),
      preallocate: random.chance(0.7),
      writeDurable: random.chance(0.5),
      steps: 40,
    },
    random,
  );
}

async function checkImage(run: RecordedRun, o: ImageOptions, number: number, report: ImageReport): Promise<void> {
  const random = new Random((o.seed ^ Math.imul(number + 1, 0x85ebca6b)) >>> 0);
  // Boundaries are gone through in turn, so that every one is looked at when there are images enough.
  const perRun = o.imagesPerRun ?? IMAGES_PER_RUN;
  const step = perRun < run.operations.length ? run.operations.length / perRun : 1;
  const boundary = Math.floor(((number % perRun) * step) % run.operations.length) + 1;
  report.images++;
  let problem: string | undefined;
  try {
    problem = await openImage(run, boundary, random, report, o.lyingDisk === true);
  } catch (error) {
    problem = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
  if (problem === undefined) return;
  const { kind } = run.operations[boundary - 1] ?? { kind: 'nothing' };
  const { durability, preallocate } = run.options;
  report.problems.push(
    `seed ${o.seed}, image ${number}, cut after operation ${boundary} (${kind}), durability ${durability}, ` +
      `preallocate ${preallocate}: ${problem}`,
  );
}

async function openImage(
  run: RecordedRun,
  boundary: number,
  random: Random,
  report: ImageReport,
  lyingDisk: boolean,
): Promise<string | undefined> {
  const disk = new MemoryDisk(run.options);
  for (const operation of run.operations.slice(0, boundary)) {
    if (operation.kind !== 'sync' || !lyingDisk) disk.do(operation);
  }
  const coin = () => random.chance(0.5);
  const promised = promisesAt(run, boundary);
  let time = CLOCK_START * 2;
  const open = () => openRun(run.options, disk, () => ++time);
  // Either the power is cut at once, or only the process ends, and the power is cut during or after the next recovery.
  const onlyProcess = random.chance(0.25);
  if (!onlyProcess) disk.restart(coin);
  if (onlyProcess || random.chance(0.3)) await interrupt(disk, open, coin, random, promised);
  const journal = await open();
  for (const row of journal.recovery.rows) report.rows.set(row, (report.rows.get(row) ?? 0) + 1);
  try {
    const problem = (await judge(journal, run, promised)) ?? (await goOn(journal, run, random));
    if (problem !== undefined) return problem;
  } finally {
    await journal.close();
  }
  return reopened(await open(), journal);
}

/** A recovery that is cut off itself. What it reported before that, it had made durable. */
async function interrupt(
  disk: MemoryDisk,
  open: () => Promise<Journal>,
  coin: () => boolean,
  random: Random,
  promised: Promises[],
): Promise<void> {
  disk.cutAfter(random.below(80));
  const journal = await open().catch((error: unknown) => {
    if (!disk.dead) throw error;
  });
  if (journal !== undefined) {
    promiseMore(journal, promised);
    await journal.close().catch(() => {});
  }
  disk.restart(coin);
}

/** What an opened journal says of itself is durable too; which life it has come to is settled by then. */
function promiseMore(journal: Journal, promised: Promises[]): void {
  const promises = promised.find((each) => fits(each, journal));
  if (promises === undefined) return;
  promised.splice(0, promised.length, promises);
  promises.acknowledged = Math.max(promises.acknowledged, journal.last);
  for (const { name, position } of journal.cursors()) {
    const known = promises.cursors.get(name);
    if (known !== undefined) known.reached = Math.max(known.reached, position);
  }
}

/** The journal takes more, in the same segment and in the next. */
async function goOn(journal: Journal, run: RecordedRun, random: Random): Promise<string | undefined> {
  const { last } = journal;
  const payloads = [random.bytes(10), random.bytes(random.below(60_000)), random.bytes(20_000)];
  for (const [index, payload] of payloads.entries()) {
    const sequence = await journal.append(payload);
    if (sequence !== last + 1 + index) return `append gave number ${sequence} after ${last}`;
  }
  const records: Buffer[] = [];
  for await (const { payload } of journal.read(last + 1)) records.push(payload);
  if (records.length !== 3 || records.some((payload, index) => !payload.equals(payloads[index] ?? Buffer.alloc(0)))) {
    return 'what was appended after the recovery differs';
  }
  // With a cursor of every name up to date, all but the last segment goes, and is used again.
  for (const { name } of journal.cursors()) await journal.cursor(name).advance(journal.last);
  await journal.append(random.bytes(60_000));
  return run.records.has(journal.last) && journal.last <= last ? 'a number was given twice' : undefined;
}

async function reopened(again: Journal, before: Journal): Promise<string | undefined> {
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
