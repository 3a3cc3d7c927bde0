import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '../../fuzz/random.js';
import { openImage } from './crash-open.js';
import { promisesAt } from './crash-promises.js';
import { type RecordedRun, recordRun } from './crash-run.js';
import { type DiskOperation, MemoryDisk } from './memory-disk.js';

/**
 * Every disk that a power cut can leave. A run of a journal is recorded operation by operation. At every boundary
 * between two of them the disk is forked, the power is cut, and what was not synced is kept or lost by lot, sector by
 * sector and name by name. The journal is opened from that image, at times after a recovery that was itself cut off, and
 * has to keep every promise made by then.
 */

/** One image: the run, how many of its operations were done, and which of several draws of the lots. */
export interface ImageName {
  run: number;
  boundary: number;
  draw: number;
}

export interface ImageOptions {
  images: number;
  seed: number;
  /** Looks at so many images of a run, at boundaries all over it, instead of at every boundary. */
  imagesPerRun?: number;
  /** A disk that forgets these operations, to see that this is found. */
  forgets?: DiskOperation['kind'];
  /** The one image to look at. */
  only?: ImageName | undefined;
  log?: (line: string) => void;
}

export interface ImageReport {
  images: number;
  runs: number;
  boundaries: number;
  /** How many recoveries were cut off themselves. */
  interruptions: number;
  /** How many side files were found in them. */
  sides: number;
  problems: string[];
  /** How often recovery took which row of its table. */
  rows: Map<string, number>;
  /** How often the runs did what is to be covered. */
  covered: Map<string, number>;
}

/** Where a power cut has a choice, more than one of them are tried. */
const DRAWS = 2;

export async function checkImages(o: ImageOptions): Promise<ImageReport> {
  const report: ImageReport = {
    images: 0,
    runs: 0,
    boundaries: 0,
    interruptions: 0,
    sides: 0,
    problems: [],
    rows: new Map(),
    covered: new Map(),
  };
  const dir = mkdtempSync(join(tmpdir(), 'longhaul-images-'));
  try {
    for (let number = o.only?.run ?? 0; report.images < o.images; number++) {
      const run = await recorded(dir, o.seed, number);
      report.runs++;
      cover(run, report.covered);
      await checkRun(run, number, o, report);
      o.log?.(`${report.images} images of ${report.runs} runs, ${report.problems.length} problems`);
      if (o.only !== undefined) break;
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return report;
}

/** A seed for each part, so that any image can be made again alone. */
function seedFor(...parts: number[]): number {
  return (
    parts.reduce((seed, part) => Math.imul((seed ^ (part + 1)) >>> 0, 0x9e3779b1) ^ (seed >>> 15), 0x85ebca6b) >>> 0
  );
}

/** Some runs have segments of megabytes and zeros written ahead, and some are without syncs. */
function recorded(dir: string, seed: number, number: number): Promise<RecordedRun> {
  const random = new Random(seedFor(seed, number));
  const large = number % 5 === 4;
  return recordRun(
    {
      dir,
      durability: number % 4 === 2 ? 'none' : 'group',
      segmentBytes: (large ? 4096 : 64) * 1024,
      historyBytes: random.pick([0, 0, 0, 100_000]),
      preallocate: large || random.chance(0.7),
      writeZeros: large,
      writeDurable: random.chance(0.5),
      steps: large ? 24 : 40,
    },
    random,
  );
}

async function checkRun(run: RecordedRun, number: number, o: ImageOptions, report: ImageReport): Promise<void> {
  const { operations, options } = run;
  const disk = new MemoryDisk(options);
  const stride = o.imagesPerRun === undefined ? 1 : Math.max(1, operations.length / o.imagesPerRun);
  let next = 1;
  for (const [done, operation] of operations.entries()) {
    if (operation.kind !== o.forgets) disk.do(operation);
    const boundary = done + 1;
    if (report.images >= o.images) return;
    if (o.only === undefined ? boundary < Math.floor(next) : boundary !== o.only.boundary) continue;
    next += stride;
    report.boundaries++;
    const draws = o.imagesPerRun === undefined && disk.unsettled ? DRAWS : 1;
    for (let draw = o.only?.draw ?? 0; draw < (o.only === undefined ? draws : o.only.draw + 1); draw++) {
      if (report.images >= o.images) return;
      await checkImage(run, disk.fork(), { run: number, boundary, draw }, o.seed, report);
    }
  }
}

async function checkImage(
  run: RecordedRun,
  disk: MemoryDisk,
  { run: number, boundary, draw }: ImageName,
  seed: number,
  report: ImageReport,
): Promise<void> {
  const random = new Random(seedFor(seed, number, boundary, draw));
  const { problem, rows, interruptions, sides } = await openImage(run.options, disk, promisesAt(run, boundary), random);
  report.images++;
  report.interruptions += interruptions;
  report.sides += sides;
  for (const row of rows) count(report.rows, row);
  if (problem === undefined) return;
  const { kind } = run.operations[boundary - 1] ?? { kind: 'nothing' };
  const { durability, segmentBytes } = run.options;
  report.problems.push(
    `seed ${seed}, image ${number}:${boundary}:${draw}, cut after ${kind}, durability ${durability}, ` +
      `segments of ${segmentBytes} bytes: ${problem}`,
  );
}

/** What a run did, as its operations and marks tell. */
function cover({ operations, marks, options }: RecordedRun, covered: Map<string, number>): void {
  for (const operation of operations) {
    if (operation.kind === 'rename' && operation.from.endsWith('.spare')) count(covered, 'segments recycled');
    if (operation.kind === 'rename' && operation.to.endsWith('.spare')) count(covered, 'segments freed');
    if (operation.kind === 'rename' && operation.to.endsWith('.idx')) count(covered, 'side files written');
    if (operation.kind === 'unlink' && operation.name.endsWith('.idx')) count(covered, 'side files removed');
    if (operation.kind === 'rename' && operation.from === 'segment.tmp') count(covered, 'segments made');
    if (operation.kind === 'resize') count(covered, 'preallocations and cuts of files');
    if (operation.kind === 'write' && operation.bytes.byteLength > 1024 * 1024) count(covered, 'groups over 1 MiB');
    if (operation.kind === 'write' && options.writeZeros && isZeros(operation.bytes)) count(covered, 'zeros ahead');
  }
  for (const { kind } of marks) count(covered, kind);
}

function isZeros(bytes: Uint8Array): boolean {
  return bytes.byteLength > 256 * 1024 && bytes.every((byte) => byte === 0);
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}
