import { basename, join } from 'node:path';
import { FormatVersionError, InvalidArgumentError, JournalDamagedError, StateDamagedError } from '../errors.js';
import type { Disk, DiskFile } from './disk.js';
import { FORMAT_VERSION, INITIAL_CHAIN, SEGMENT_HEADER_BYTES } from './format.js';
import { RecentRecords } from './recent.js';
import { decideRecovery, type Findings } from './recovery.js';
import { type Scan, scanSegment } from './scan.js';
import { createSegment, Segment, SegmentList } from './segment.js';
import type { DurableState } from './state.js';
import { type FoundSegment, type Survey, survey } from './survey.js';
import { randomSalt } from './writer.js';

/** Opening: looks at the directory, asks the table in recovery.ts, carries out what it says. */

/** How many cut tails are kept aside; the oldest go first. */
const TAILS_MAX = 8;

const REWRITE_BYTES = 1024 * 1024;

export interface RestoreOptions {
  /** As the caller gives it, if so. */
  volume: string | undefined;
  /** For a new journal. */
  newVolume: string;
  /** The highest position of any cursor that proves its records durable. */
  cursorProof: number;
}

/** What `open` had to do. */
export interface RecoveryReport {
  /** Labels of the rows of the table that were carried out, in order. */
  rows: string[];
  /** The files in which cut-off bytes were kept aside. */
  tails: string[];
  /** Records that nothing proved durable and that were therefore written and synced again. */
  rewritten: number;
}

export interface Restored {
  durable: DurableState;
  /** The last segment, open for writing. */
  file: DiskFile;
  report: RecoveryReport;
}

export async function restore(disk: Disk, dir: string, options: RestoreOptions): Promise<Restored> {
  const report: RecoveryReport = { rows: [], tails: [], rewritten: 0 };
  let proof = options.cursorProof;
  for (;;) {
    const found = await survey(disk, dir, options.volume);
    refuseOtherVolume(found, options.volume, dir);
    const attempt = new Attempt(disk, dir, found, proof);
    try {
      const row = decideRecovery(await attempt.findings());
      report.rows.push(row.label);
      switch (row.action) {
        case 'create':
          return await create(disk, dir, options.newVolume, report);
        case 'accept':
          return await attempt.accept(report);
        case 'cut':
          await attempt.cut(report);
          return await attempt.accept(report);
        case 'setAside':
          // Whoever began this segment had synced everything before it.
          proof = Math.max(proof, (found.culprit?.first ?? 1) - 1);
          await attempt.setAside(report);
          break;
        case 'refuseDamage':
          throw attempt.damage();
        case 'refuseForeign':
          throw foreignError(found);
        case 'refuseVersion':
          throw new FormatVersionError(found.culprit?.path ?? dir, found.culprit?.version ?? 0, FORMAT_VERSION);
      }
    } finally {
      await attempt.release();
    }
  }
}

async function create(disk: Disk, dir: string, volume: string, report: RecoveryReport): Promise<Restored> {
  const header = { volume, first: 1, chain: INITIAL_CHAIN, epoch: 0, previousRecords: 0, salt: randomSalt() };
  const { segment, file } = await createSegment(disk, dir, header);
  const segments = new SegmentList([segment]);
  const recent = new RecentRecords();
  return { durable: { dir, disk, segments, recent, last: 0, lastChain: INITIAL_CHAIN, lastEpoch: 0 }, file, report };
}

/** One look at the directory and what follows from it. */
class Attempt {
  private file: DiskFile | undefined;
  private scan: Scan | undefined;
  private readonly segments: Segment[];
  private readonly recent = new RecentRecords();

  constructor(
    private readonly disk: Disk,
    private readonly dir: string,
    private readonly found: Survey,
    private readonly proof: number,
  ) {
    this.segments = found.segments.flatMap(segmentOf);
    for (const [index, segment] of this.segments.entries()) {
      const next = this.segments[index + 1];
      if (next === undefined) continue;
      segment.last = next.first - 1;
      segment.bytes = found.segments[index]?.size ?? segment.bytes;
    }
  }

  async findings(): Promise<Findings> {
    const { sealed, header } = this.found;
    const readable = header === 'sound' && (sealed === 'none' || sealed === 'continuous');
    if (readable) await this.scanLast();
    const last = this.scan?.last ?? 0;
    return {
      sealed,
      header,
      records: this.scan?.bad === undefined ? 'whole' : 'broken',
      proof: Math.max(this.proof, this.scan?.proven ?? 0) > last ? 'beyond' : 'within',
    };
  }

  /** Takes the directory as it is now, after making sure that everything read is on the disk. */
  async accept(report: RecoveryReport): Promise<Restored> {
    const { file, scan } = this.opened();
    const [oldest, ...newer] = this.segments;
    if (oldest === undefined) throw new Error('an accepted journal has a segment');
    const segments = new SegmentList([oldest, ...newer]);
    segments.active.last = scan.last;
    segments.active.bytes = scan.end;
    await this.rewriteUnproven(segments.active, report);
    this.file = undefined;
    const { dir, disk, recent } = this;
    const durable = { dir, disk, segments, recent, last: scan.last, lastChain: scan.chain, lastEpoch: scan.epoch };
    return { durable, file, report };
  }

  async cut(report: RecoveryReport): Promise<void> {
    const { file, scan } = this.opened();
    const size = await file.size();
    await this.keepTail(file, scan.end, size, report);
    await file.truncate(scan.end);
    await file.datasync();
  }

  async setAside(report: RecoveryReport): Promise<void> {
    const torn = this.found.culprit;
    if (torn === undefined) return;
    const file = await this.disk.open(torn.path, 'r');
    try {
      if (torn.size > 0) await this.keepTail(file, 0, torn.size, report);
    } finally {
      await file.close();
    }
    await this.disk.remove(torn.path);
    await this.disk.syncDirectory(this.dir);
  }

  damage(): JournalDamagedError {
    const { culprit, missing, sealed, segments } = this.found;
    if (culprit !== undefined && missing !== undefined) {
      return new JournalDamagedError(culprit.path, 0, missing.from, missing.to, 'the segment before it is missing');
    }
    if (culprit !== undefined) {
      const next = segments[segments.indexOf(culprit) + 1];
      const to = next === undefined ? Math.max(this.proof, culprit.first) : next.first - 1;
      const found = sealed === 'bad' ? 'the header of a full segment is damaged' : 'its header is damaged';
      return new JournalDamagedError(culprit.path, 0, culprit.first, to, found);
    }
    if (this.scan === undefined) return new JournalDamagedError(this.dir, 0, 1, this.proof, 'no segment is left');
    const proven = Math.max(this.proof, this.scan.proven);
    const to = Math.min(proven, this.scan.bad?.through ?? proven);
    const found = this.scan.bad?.found ?? 'the file ends before it';
    const path = segments[segments.length - 1]?.path ?? this.dir;
    return new JournalDamagedError(path, this.scan.end, this.scan.last + 1, Math.max(to, this.scan.last + 1), found);
  }

  async release(): Promise<void> {
    await this.file?.close();
  }

  private async scanLast(): Promise<void> {
    const segment = this.segments[this.segments.length - 1];
    if (segment === undefined) return;
    this.file = await this.disk.open(segment.path, 'r+');
    const address = this.segments.reduce((sum, each) => (each === segment ? sum : sum + each.bytes), 0);
    this.recent.restart(segment.first);
    this.scan = await scanSegment(this.file, segment.header, segment.seed, (record, offset) => {
      segment.note(record.sequence, offset, record.timestamp);
      this.recent.add(record.sequence, record.chain, address + offset + record.bytes, record.timestamp);
    });
  }

  private opened(): { file: DiskFile; scan: Scan } {
    if (this.file === undefined || this.scan === undefined) throw new Error('the last segment has not been read');
    return { file: this.file, scan: this.scan };
  }

  /**
   * What was read came from the page cache, which is not the disk: after a failed sync it may hold pages that the
   * kernel takes for clean. So what nothing proves durable is written once more in its place, and synced.
   */
  private async rewriteUnproven(active: Segment, report: RecoveryReport): Promise<void> {
    const { file, scan } = this.opened();
    const proven = Math.max(this.proof, scan.proven);
    report.rewritten = scan.last - proven;
    const from = report.rewritten > 0 ? active.near(proven + 1).offset : active.bytes;
    for (let offset = from; offset < active.bytes; offset += REWRITE_BYTES) {
      const buffer = Buffer.allocUnsafe(Math.min(REWRITE_BYTES, active.bytes - offset));
      const filled = await file.read(buffer, offset);
      await file.write([buffer.subarray(0, filled)], offset);
    }
    await file.sync();
    await this.disk.syncDirectory(this.dir);
  }

  private async keepTail(file: DiskFile, from: number, to: number, report: RecoveryReport): Promise<void> {
    const path = `${file.path}.${from}.tail`;
    const bytes = Buffer.alloc(to - from);
    const filled = await file.read(bytes, from);
    await this.disk.placeFile(`${path}.tmp`, path, bytes.subarray(0, filled));
    await this.disk.syncDirectory(this.dir);
    report.tails.push(path);
    const tails = (await this.disk.list(this.dir)).filter((name) => name.endsWith('.tail'));
    const surplus = tails.sort(byPlace).slice(0, Math.max(0, tails.length - TAILS_MAX));
    for (const name of surplus.filter((each) => each !== basename(path))) await this.disk.remove(join(this.dir, name));
  }
}

/** The order in which tails were cut, as far as their names tell: by segment, then by offset. */
function byPlace(a: string, b: string): number {
  const [segmentA = '', , offsetA = ''] = a.split('.');
  const [segmentB = '', , offsetB = ''] = b.split('.');
  return segmentA < segmentB ? -1 : segmentA > segmentB ? 1 : Number(offsetA) - Number(offsetB);
}

function segmentOf(found: FoundSegment): Segment[] {
  if (found.header === undefined) return [];
  const segment = new Segment(found.path, found.header, found.seed, found.firstTimestamp);
  segment.bytes = Math.max(SEGMENT_HEADER_BYTES, found.size);
  return [segment];
}

/** One that belongs to another volume as a whole is the caller's mistake, and no damage. */
function refuseOtherVolume(found: Survey, volume: string | undefined, dir: string): void {
  const headers = found.segments.flatMap((segment) => (segment.header === undefined ? [] : [segment.header]));
  const other = headers[0]?.volume;
  if (volume === undefined || other === undefined || headers.some((header) => header.volume === volume)) return;
  throw new InvalidArgumentError('volume', volume, `${other}, the volume of the journal in ${dir}`);
}

function foreignError(found: Survey): StateDamagedError {
  const path = found.culprit?.path ?? '';
  const text = `a segment of volume ${found.culprit?.header?.volume} among those of volume ${found.volume}`;
  return new StateDamagedError(path, text, 'put it back where it came from, and the right one in its place');
}
