import { join } from 'node:path';
import { checksum64 } from '../../engine/checksum.js';
import { FormatVersionError, RepairRefusedError, StateDamagedError } from '../../errors.js';
import type { Disk, DiskFile } from '../disk/disk.js';
import type { Footer } from '../format/footer.js';
import {
  DATA_START,
  decodeGroupHeader,
  FORMAT_VERSION,
  GROUP_HEADER_BYTES,
  type GroupHeader,
  SEGMENT,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  segmentName,
} from '../format/format.js';
import { Segment } from '../format/segment.js';
import { type FoundSegment, readFooter } from '../recovery/survey.js';
import { type Scan, scanSegment } from '../scan/scan.js';

/** What a journal should consist of, segment by segment, whatever is left of each; a repair goes through it. */

export interface Piece {
  path: string;
  first: number;
  /** The last record that it has to hold; the last piece, whose proof lies partly in its file, may have to hold more. */
  need: number;
  isLast: boolean;
  /** undefined for a segment that is missing. */
  found: FoundSegment | undefined;
}

/** The pieces, oldest first. A header says where the segment before it begins, so a missing one shows. */
export async function piecesOf(
  disk: Disk,
  dir: string,
  segments: readonly FoundSegment[],
  o: { from: number; proof: number },
): Promise<Piece[]> {
  const pieces: Piece[] = [];
  const add = (first: number, need: number, found?: FoundSegment, isLast = false) =>
    pieces.push({ path: join(dir, segmentName(first)), first, need, found, isLast });
  for (const [index, found] of segments.entries()) {
    refuseOther(found);
    const next = segments[index + 1];
    if (next === undefined) {
      add(found.first, Math.max(o.proof, found.first - 1), found, true);
      continue;
    }
    const boundary = next.header === undefined ? found.first : next.first - next.header.previousRecords;
    if (boundary < found.first) {
      const text = `the segment behind says that it begins with record ${boundary}`;
      throw new RepairRefusedError(found.path, found.first, next.first - 1, text, `record ${found.first}`);
    }
    if (boundary === found.first) {
      add(found.first, next.first - 1, found);
      continue;
    }
    const last = Math.min(await lastOf(disk, found, boundary - 1), boundary - 1);
    add(found.first, last, found);
    if (last + 1 < boundary) add(last + 1, boundary - 1);
    add(boundary, next.first - 1);
  }
  if (segments.length === 0 && o.proof >= o.from) add(o.from, o.proof, undefined, true);
  return pieces;
}

function refuseOther({ path, finding, version = 0 }: FoundSegment): void {
  if (finding === 'other') throw new FormatVersionError(path, version, FORMAT_VERSION);
  if (finding !== 'foreign') return;
  throw new StateDamagedError(path, 'a segment of another volume', 'put the right one in its place');
}

/** The last record that a segment held, for all that its file says; `unknown` when it says nothing. */
async function lastOf(disk: Disk, found: FoundSegment, unknown: number): Promise<number> {
  if (found.finding !== 'valid') return unknown;
  const file = await disk.open(found.path, 'r');
  try {
    const content = await contentOf(file, found, undefined);
    return content === undefined ? unknown : Math.max(content.scan.last, content.proven);
  } finally {
    await file.close();
  }
}

/** What can still be read of a segment. */
export interface Content {
  seed: bigint;
  /** Where the footer starts, or the file ends. */
  end: number;
  footer: Footer | undefined;
  scan: Scan;
  /** The highest record of the journal that its headers and its footer prove durable. */
  proven: number;
}

/**
 * Reads a segment through. A damaged header may have kept the one thing that the rest depends on, the seed, which is
 * its checksum: then its groups can be read all the same. `before` stands for the header then.
 */
export async function contentOf(
  file: DiskFile,
  found: FoundSegment,
  before: SegmentHeader | undefined,
): Promise<Content | undefined> {
  let { header = before, seed, footer, contentEnd: end } = found;
  if (found.header === undefined) {
    const salvaged = await salvage(file);
    if (salvaged === undefined) return undefined;
    seed = salvaged.seed;
    ({ footer, contentEnd: end } = await readFooter(file, found.size, seed));
  }
  if (header === undefined) return undefined;
  const scan = await scanSegment(file, new Segment(found.path, header, seed), end, {});
  return { seed, end, footer, scan, proven: Math.max(scan.proven, footer?.last ?? 0) };
}

/**
 * The seed by which the first group is sound, and that group: the checksum as it is stored, or as the rest of the
 * header gives it.
 */
export async function salvage(file: DiskFile): Promise<{ seed: bigint; group: GroupHeader } | undefined> {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const bytes = Buffer.alloc(GROUP_HEADER_BYTES);
  await file.read(header, 0);
  await file.read(bytes, DATA_START);
  for (const seed of [header.readBigUInt64LE(SEGMENT.checksum), checksum64(header.subarray(0, SEGMENT.checksum))]) {
    const group = decodeGroupHeader(bytes, 0, seed);
    if (group !== undefined) return { seed, group };
  }
  return undefined;
}
