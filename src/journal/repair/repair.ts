import { basename, join, resolve } from 'node:path';
import { RepairRefusedError } from '../../errors.js';
import { choiceOption, directoryOption, MIB } from '../../options.js';
import { chainArgument, integer, type JournalOptions, volumeArgument } from '../arguments.js';
import { Disk, type DiskFile } from '../disk/disk.js';
import { copyFile } from '../disk/tails.js';
import { INITIAL_CHAIN, type SegmentHeader } from '../format/format.js';
import { DirectoryLock } from '../lock/lock.js';
import { resumeReset } from '../recovery/reset.js';
import { refuseOtherVolume } from '../recovery/restore.js';
import { type FoundSegment, type Survey, survey } from '../recovery/survey.js';
import { resumeTruncate } from '../recovery/truncate.js';
import { CURSOR_DIRECTORY, readCursors, type StoredCursor } from '../retention/cursors.js';
import { removeSides } from '../side/remove.js';
import type { SegmentEnd } from '../write/segment-builder.js';
import { randomSalt } from '../write/writer.js';
import { PieceRepair, type Proof, type Unproved } from './piece.js';
import { type Content, contentOf, type Piece, piecesOf, salvage } from './pieces.js';
import { RepairRecords, type RepairSource } from './source.js';

/**
 * Repairing a journal that is not open from the records of a peer. Damaged segments are made anew, aside: what is sound
 * in them, and what is not from the source. The chain has to lead from there to something sound in this journal, or
 * nothing is changed. Then each new segment takes the place of the old one by a rename, and a copy of the old one stays.
 */

const ASIDE = '.repair';
const KEPT = '.damaged';
const RESUME_SEGMENT_BYTES = 64 * MIB;

export interface RepairOptions extends Pick<JournalOptions, 'dir' | 'volume' | 'durability' | 'fs'> {
  /** The damaged records, as JournalDamagedError or a scrub tells them; more do no harm. */
  from: number;
  to: number;
  /** The records of a peer from `from` to `to`. */
  source: RepairSource;
  /** The chain before `from`; only needed when nothing that is left says it. */
  chainBefore?: bigint;
}

export interface RepairReport {
  /** The segments that were made anew, oldest first. */
  segments: string[];
  /** How many records came from the source. */
  records: number;
  /** The files in which the damaged segments were kept. */
  kept: string[];
}

export async function repair(o: RepairOptions): Promise<RepairReport> {
  const dir = resolve(directoryOption('dir', o.dir));
  const range = { from: integer('from', o.from, 1), to: integer('to', o.to, o.from) };
  const proves = choiceOption('durability', o.durability, ['group', 'none'], 'group') === 'group';
  const given = {
    volume: o.volume === undefined ? undefined : volumeArgument(o.volume),
    chainBefore: o.chainBefore === undefined ? undefined : chainArgument(o.chainBefore),
  };
  const disk = new Disk(o.fs);
  const lock = await DirectoryLock.take(dir);
  const records = new RepairRecords(o.source, range.from, range.to);
  try {
    await removeAside(disk, dir);
    const names = await disk.list(dir);
    const cursors = names.includes(CURSOR_DIRECTORY) ? await readCursors(disk, dir) : [];
    await resumeReset(disk, dir, cursors, RESUME_SEGMENT_BYTES);
    await resumeTruncate(disk, dir, cursors, RESUME_SEGMENT_BYTES);
    const found = await survey(disk, dir, given.volume);
    refuseOtherVolume(found, given.volume, dir);
    const proof = proves ? Math.max(0, ...cursors.map((cursor) => cursor.slot.sequence)) : 0;
    const run = new Repair(disk, dir, { ...given, ...range, proof }, found, cursors, records);
    return await run.run();
  } finally {
    await records.close();
    await removeAside(disk, dir).finally(() => lock.release());
  }
}

interface RepairPlan {
  from: number;
  to: number;
  /** The highest record that a cursor proves durable. */
  proof: number;
  volume: string | undefined;
  chainBefore: bigint | undefined;
}

class Repair {
  private readonly proofs: Map<number, Proof[]>;
  private readonly made: { piece: Piece; aside: string }[] = [];
  /** Behind the piece that was looked at last, if it was. */
  private before: SegmentEnd | undefined;
  private unproved: Unproved | undefined;

  constructor(
    private readonly disk: Disk,
    private readonly dir: string,
    private readonly plan: RepairPlan,
    private readonly found: Survey,
    cursors: readonly StoredCursor[],
    private readonly records: RepairRecords,
  ) {
    this.proofs = proofsOf(found.segments, cursors);
  }

  async run(): Promise<RepairReport> {
    const { disk, dir, plan, found } = this;
    const pieces = await piecesOf(disk, dir, found.segments, plan);
    for (const [index, piece] of pieces.entries()) {
      const touched = piece.first <= plan.to && (piece.isLast || piece.need >= plan.from);
      if (touched) await this.look(piece, pieces[index - 1]);
      else this.before = undefined;
      if (!touched) this.refuseUnproved();
    }
    this.refuseUnproved();
    const kept: string[] = [];
    for (const { piece, aside } of this.made) kept.push(...(await this.install(piece, aside)));
    return { segments: this.made.map(({ piece }) => piece.path), records: this.records.taken, kept };
  }

  /** Reads a piece, and makes it anew if it is not as it should be. */
  private async look(piece: Piece, previous: Piece | undefined): Promise<void> {
    const { found } = piece;
    const file = found === undefined || found.size === 0 ? undefined : await this.disk.open(found.path, 'r');
    try {
      const header = await this.headerOf(piece, previous, file);
      const content = file && found ? await contentOf(file, found, header) : undefined;
      const footer = content?.footer;
      if (footer !== undefined)
        addProof(this.proofs, footer.last, footer.chain, `the footer of ${basename(piece.path)}`);
      const need = this.needOf(piece, content);
      // A last segment that was just being made: an open sets it aside.
      if (found?.finding === 'torn' && piece.isLast && need < piece.first) return;
      if (content !== undefined && this.isSound(piece, content, need)) {
        const { last, chain, epoch } = content.scan;
        this.before = { last, chain, epoch };
        return;
      }
      await this.rebuild(piece, header, file, content, need);
    } finally {
      await file?.close();
    }
  }

  private async rebuild(
    piece: Piece,
    header: SegmentHeader,
    file: DiskFile | undefined,
    content: Content | undefined,
    need: number,
  ): Promise<void> {
    const { disk, dir, records, proofs } = this;
    const tools = { disk, dir, records, proofs };
    const work = new PieceRepair(tools, piece, { ...header, salt: randomSalt(), recycled: false }, this.unproved);
    const { end, unproved } = await work.run(file, content, need);
    this.before = end;
    this.unproved = unproved;
    this.made.push({ piece, aside: work.aside });
  }

  private needOf(piece: Piece, content: Content | undefined): number {
    if (!piece.isLast) return piece.need;
    if (content !== undefined) return Math.max(piece.need, content.proven, content.scan.last);
    // Nothing can be read of it, so only the caller knows how far it went; what is proved of that is seen in the end.
    return piece.found?.finding === 'bad' ? Math.max(piece.need, this.plan.to) : piece.need;
  }

  private isSound({ found, isLast, first }: Piece, { scan }: Content, need: number): boolean {
    if (found?.finding !== 'valid' || scan.last < need) return false;
    if (isLast) return true;
    const leads = (this.proofs.get(need) ?? []).every(({ chain }) => chain === scan.chain);
    return scan.bad === undefined && scan.last === need && leads && need >= first;
  }

  /** The header of a piece: its own if it is sound, or else what follows from the piece before. */
  private async headerOf(
    piece: Piece,
    previous: Piece | undefined,
    file: DiskFile | undefined,
  ): Promise<SegmentHeader> {
    if (piece.found?.header !== undefined) return piece.found.header;
    const { first } = piece;
    const volume = this.found.volume ?? this.plan.volume;
    if (volume === undefined) throw this.refusal(piece, 'no segment says whose journal this is', 'the option volume');
    if (previous !== undefined && previous.found === undefined && this.before === undefined) {
      throw this.refusal(previous, 'they are missing too', 'a range with all of these');
    }
    const before = this.before ?? (await this.endOf(previous));
    const chain = before?.last === first - 1 ? before.chain : await this.chainBefore(piece, file);
    const previousRecords = previous === undefined ? 0 : first - previous.first;
    const epoch = before?.last === first - 1 ? before.epoch : 0;
    return { volume, first, chain, epoch, previousRecords, salt: 0, recycled: false };
  }

  private async chainBefore(piece: Piece, file: DiskFile | undefined): Promise<bigint> {
    const { first } = piece;
    const { from, chainBefore } = this.plan;
    if (first === 1) return INITIAL_CHAIN;
    const proof = this.proofs.get(first - 1)?.[0];
    if (proof !== undefined) return proof.chain;
    if (chainBefore !== undefined && first === from) return chainBefore;
    const salvaged = file === undefined ? undefined : await salvage(file);
    if (salvaged?.group.first === first) return salvaged.group.chain;
    throw this.refusal(piece, `nothing says the chain before record ${first}`, `it, as the option chainBefore`);
  }

  /** The end of a piece that is left as it is; undefined when it cannot be read. */
  private async endOf(piece: Piece | undefined): Promise<SegmentEnd | undefined> {
    if (piece?.found?.header === undefined) return undefined;
    const file = await this.disk.open(piece.path, 'r');
    try {
      const content = await contentOf(file, piece.found, undefined);
      return content?.scan;
    } finally {
      await file.close();
    }
  }

  private refuseUnproved(): void {
    if (this.unproved === undefined) return;
    const { segment, from, to } = this.unproved;
    const text = 'nothing sound that follows on them is left to prove them by';
    throw new RepairRefusedError(segment, from, to, text, 'a range up to something sound, or a copy of the segment');
  }

  private refusal({ path, first, need }: Piece, found: string, expected: string): RepairRefusedError {
    return new RepairRefusedError(path, first, Math.max(first, need), found, expected);
  }

  /** Puts a new segment in its place; returns where the old one was kept. */
  private async install({ path, first, found }: Piece, aside: string): Promise<string[]> {
    const { disk, dir } = this;
    const kept: string[] = [];
    if (found !== undefined) {
      const file = await disk.open(path, 'r');
      try {
        await copyFile(disk, file, { from: 0, to: found.size, path: `${path}${KEPT}` });
      } finally {
        await file.close();
      }
      kept.push(`${path}${KEPT}`);
    }
    await removeSides(disk, dir, this.found.names, (each) => each === first);
    await disk.rename(aside, path);
    await disk.syncDirectory(dir);
    return kept;
  }
}

/** By record, what the sound parts of the journal say of the chain. */
function proofsOf(segments: readonly FoundSegment[], cursors: readonly StoredCursor[]): Map<number, Proof[]> {
  const proofs = new Map<number, Proof[]>();
  for (const { header, path } of segments) {
    if (header !== undefined) addProof(proofs, header.first - 1, header.chain, `the header of ${basename(path)}`);
  }
  for (const { name, slot } of cursors) {
    if (slot.chain !== undefined) addProof(proofs, slot.sequence, slot.chain, `cursor ${JSON.stringify(name)}`);
  }
  return proofs;
}

function addProof(proofs: Map<number, Proof[]>, sequence: number, chain: bigint, where: string): void {
  proofs.set(sequence, [...(proofs.get(sequence) ?? []), { chain, where }]);
}

async function removeAside(disk: Disk, dir: string): Promise<void> {
  for (const name of await disk.list(dir)) if (name.endsWith(ASIDE)) await disk.remove(join(dir, name));
}
