import { storageError } from '../../engine/files.js';
import {
  FormatVersionError,
  InvalidArgumentError,
  JournalDamagedError,
  type LonghaulError,
  StateDamagedError,
} from '../../errors.js';
import type { Disk, DiskFile } from '../disk/disk.js';
import { createSegment, removeUnfinished, SegmentFile } from '../disk/segment-file.js';
import { Spares } from '../disk/spares.js';
import { keepTail } from '../disk/tails.js';
import { footerBytesMax } from '../format/footer.js';
import { FORMAT_VERSION, INITIAL_CHAIN } from '../format/format.js';
import { nextAddress, type Segment, SegmentList } from '../format/segment.js';
import type { Scan } from '../scan/scan.js';
import { RecentRecords } from '../state/recent.js';
import type { DurableState } from '../state/state.js';
import { randomSalt } from '../write/writer.js';
import { absent, type Examined, examineFull, examineLast } from './examine.js';
import { clearBehind, rewriteGroups } from './rewrite.js';
import { type FoundSegment, type Survey, survey } from './survey.js';
import { decideRecovery, type RecoveryRow } from './table.js';

/** Opening: looks at the directory, asks table.ts segment by segment, carries out what it says. */

/** How often a journal may turn out to be another than it was when it was read a moment before. */
const CHANGES_MAX = 3;

export interface RestoreOptions {
  /** As the caller gives it, if so. */
  volume: string | undefined;
  /** For a new journal. */
  newVolume: string;
  /** The highest position of any cursor that proves its records durable. */
  cursorProof: number;
  segmentBytes: number;
}

/** What `open` had to do. */
export interface RecoveryReport {
  /** Labels of the rows of the table that were carried out, except for full segments as they should be. */
  rows: string[];
  /** The files in which cut-off bytes were kept aside. */
  tails: string[];
  /** Records that nothing proved durable and that were therefore written and synced again. */
  rewritten: number;
}

export interface Restored {
  durable: DurableState;
  /** The last segment, open for writing. */
  file: SegmentFile;
  report: RecoveryReport;
  /** The names in the directory as they were found. */
  names: string[];
}

export async function restore(disk: Disk, dir: string, options: RestoreOptions): Promise<Restored> {
  const report: RecoveryReport = { rows: [], tails: [], rewritten: 0 };
  await removeUnfinished(disk, dir);
  const spares = new Spares(disk, dir, options.segmentBytes + footerBytesMax(options.segmentBytes));
  await spares.load();
  let changes = 0;
  for (let proof = options.cursorProof; ; ) {
    const found = await survey(disk, dir, options.volume);
    refuseOtherVolume(found, options.volume, dir);
    const attempt = new Attempt(disk, dir, found, proof, report);
    try {
      const outcome = await attempt.run();
      if (outcome === 'create') return await create(disk, dir, spares, options, report, found.names);
      if (outcome === 'accept') {
        const restored = await attempt.accept(spares, options);
        if (restored !== 'changed') return restored;
        if (++changes > CHANGES_MAX) throw unsteady(found);
      } else {
        // Whoever began the segment that was set aside had synced everything before it.
        proof = Math.max(proof, (found.segments.at(-1)?.first ?? 1) - 1);
      }
    } finally {
      await attempt.release();
    }
  }
}

async function create(
  disk: Disk,
  dir: string,
  spares: Spares,
  options: RestoreOptions,
  report: RecoveryReport,
  names: string[],
): Promise<Restored> {
  const volume = options.newVolume;
  const header = { volume, first: 1, chain: INITIAL_CHAIN, epoch: 0, previousRecords: 0, salt: randomSalt() };
  const file = await createSegment(disk, dir, spares, header, options.segmentBytes);
  const segments = new SegmentList([file.segment]);
  const recent = new RecentRecords();
  const durable = { dir, disk, segments, recent, spares, last: 0, lastChain: INITIAL_CHAIN, lastEpoch: 0 };
  return { durable, file, report, names };
}

/** One look at the directory and what follows from it. Read-only, it changes nothing and ignores what would be cut. */
export class Attempt {
  private file: DiskFile | undefined;
  /** The last segment as it was read, and what is proven of it. */
  private read: { scan: Scan; proven: number } | undefined;
  private readonly segments: Segment[] = [];
  private readonly recent = new RecentRecords();

  constructor(
    private readonly disk: Disk,
    private readonly dir: string,
    private readonly found: Survey,
    /** The highest record that cursors prove durable. */
    private readonly proof: number,
    private readonly report: RecoveryReport,
    private readonly readOnly = false,
  ) {}

  /** Asks the table about every segment, oldest first, and does what it says about each. */
  async run(): Promise<'create' | 'accept' | 'again'> {
    const all = this.found.segments;
    for (const [index, found] of all.entries()) {
      const next = all[index + 1];
      this.refuseGap(found, next);
      const examined = next === undefined ? await this.examineLast(found) : await examineFull(this.disk, found, next);
      const row = decideRecovery(examined.findings);
      this.refuse(row, found, next, examined);
      if (row.label !== 'full') this.report.rows.push(row.label);
      if (row.action === 'setAside') {
        if (!this.readOnly) await this.setAside(found);
        return 'again';
      }
      if (row.action === 'cut' && !this.readOnly) await this.cut();
      if (examined.segment !== undefined) this.segments.push(examined.segment);
    }
    return all.length > 0 ? 'accept' : this.empty();
  }

  /**
   * Takes the directory as it is now, after making sure that everything read is on the disk; not if what was read turns
   * out not to be there.
   */
  async accept(spares: Spares, options: RestoreOptions): Promise<Restored | 'changed'> {
    const { disk, dir, report } = this;
    const { segments, recent, file, scan } = this.accepted;
    if (!(await this.settle(segments.active))) return 'changed';
    this.file = undefined;
    const { last, chain, epoch } = scan;
    const durable = { dir, disk, segments, recent, spares, last, lastChain: chain, lastEpoch: epoch };
    const { names } = this.found;
    return { durable, file: new SegmentFile(segments.active, file, options.segmentBytes), report, names };
  }

  /** What was found, after a look that only reads: the segments, and the last one as it was read. */
  get accepted(): { segments: SegmentList; recent: RecentRecords; file: DiskFile; scan: Scan; proven: number } {
    const [oldest, ...newer] = this.segments;
    if (oldest === undefined) throw new Error('an accepted journal has a segment');
    return { segments: new SegmentList([oldest, ...newer]), recent: this.recent, ...this.opened() };
  }

  async release(): Promise<void> {
    await this.file?.close();
  }

  private empty(): 'create' {
    const row = decideRecovery(absent(this.proof > 0, true));
    this.report.rows.push(row.label);
    if (row.action === 'create') return 'create';
    throw new JournalDamagedError(this.dir, 0, 1, this.proof, 'no segment is left');
  }

  private async examineLast(found: FoundSegment): Promise<Examined> {
    const address = this.segments.reduce((end, segment) => nextAddress(end + segment.bytes), 0);
    if (found.finding === 'valid') this.file = await this.disk.open(found.path, this.readOnly ? 'r' : 'r+');
    const examined = await examineLast(this.file, found, this.proof, this.recent, address);
    if (examined.scan !== undefined) this.read = { scan: examined.scan, proven: examined.proven };
    return examined;
  }

  /** Each header says how many records the segment before it holds, so a missing one shows without reading any. */
  private refuseGap(before: FoundSegment, found: FoundSegment | undefined): void {
    if (found?.header === undefined) return;
    const from = found.first - found.header.previousRecords;
    if (from === before.first || before.finding !== 'valid') return;
    if (decideRecovery(absent(true, false)).action !== 'refuseDamage') throw new Error('a missing segment is damage');
    throw new JournalDamagedError(found.path, 0, from, found.first - 1, 'the segment before it is missing');
  }

  private refuse(row: RecoveryRow, found: FoundSegment, next: FoundSegment | undefined, examined: Examined): void {
    switch (row.action) {
      case 'refuseVersion':
        throw new FormatVersionError(found.path, found.version ?? 0, FORMAT_VERSION);
      case 'refuseForeign':
        throw foreignError(found, this.found.volume);
      case 'refuseDamage':
        throw damage(found, next, examined);
      default:
    }
  }

  /** Keeps what follows the last sound group aside, and cuts it off. */
  private async cut(): Promise<void> {
    const { file, scan } = this.opened();
    if (scan.tailEnd > scan.end) this.report.tails.push(await keepTail(this.disk, file, scan.end, scan.tailEnd));
    await file.truncate(scan.end);
    await file.datasync();
  }

  private async setAside(torn: FoundSegment): Promise<void> {
    const file = await this.disk.open(torn.path, 'r');
    try {
      if (torn.size > 0) this.report.tails.push(await keepTail(this.disk, file, 0, torn.size));
    } finally {
      await file.close();
    }
    await this.disk.remove(torn.path);
    await this.disk.syncDirectory(this.dir);
  }

  private opened(): { file: DiskFile; scan: Scan; proven: number } {
    if (this.file === undefined || this.read === undefined) throw new Error('the last segment has not been read');
    return { file: this.file, ...this.read };
  }

  /**
   * What was read came from the page cache, which is not the disk: after a failed sync it may hold pages that the
   * kernel takes for clean. So what nothing proves durable is written once more in its place, and synced.
   */
  private async settle(active: Segment): Promise<boolean> {
    const { file, scan, proven } = this.opened();
    this.report.rewritten = Math.max(0, scan.last - proven);
    active.fileBytes = await file.size();
    if (scan.last > proven && !(await rewriteGroups(file, active, proven + 1, scan))) return false;
    // A cut has removed all that.
    if (active.fileBytes >= scan.usedEnd) await clearBehind(file, scan);
    await file.sync();
    await this.disk.syncDirectory(this.dir);
    return true;
  }
}

function unsteady({ segments }: Survey): LonghaulError {
  const found = new Error('it holds something else each time it is read');
  return storageError('reading', segments.at(-1)?.path ?? '', found);
}

function damage(found: FoundSegment, next: FoundSegment | undefined, examined: Examined): JournalDamagedError {
  const { path, first } = found;
  const { scan, proven } = examined;
  const through = next === undefined ? proven : next.first - 1;
  if (scan === undefined) {
    const what = next === undefined ? 'its header is damaged' : 'the header of a full segment is damaged';
    return new JournalDamagedError(path, 0, first, Math.max(through, first), what);
  }
  const from = scan.bad?.sequence ?? scan.last + 1;
  const soundAgain = scan.validAfter ? scan.nextSound - 1 : through;
  const to = Math.max(Math.min(through, soundAgain), from);
  return new JournalDamagedError(
    path,
    scan.bad?.offset ?? scan.end,
    from,
    to,
    scan.bad?.found ?? 'the file ends before it',
  );
}

/** One that belongs to another volume as a whole is the caller's mistake, and no damage. */
export function refuseOtherVolume(found: Survey, volume: string | undefined, dir: string): void {
  const headers = found.segments.flatMap((segment) => (segment.header === undefined ? [] : [segment.header]));
  const other = headers[0]?.volume;
  if (volume === undefined || other === undefined || headers.some((header) => header.volume === volume)) return;
  throw new InvalidArgumentError('volume', volume, `${other}, the volume of the journal in ${dir}`);
}

function foreignError(found: FoundSegment, volume: string | undefined): StateDamagedError {
  const text = `a segment of volume ${found.header?.volume} among those of volume ${volume}`;
  return new StateDamagedError(found.path, text, 'put it back where it came from, and the right one in its place');
}
