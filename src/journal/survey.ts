import { join } from 'node:path';
import type { Disk } from './disk.js';
import {
  decodeSegmentHeader,
  firstOfName,
  RECORD_HEADER_BYTES,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from './format.js';
import { Block, decodeHeader } from './record.js';
import type { HeaderFinding, SealedFinding } from './recovery.js';

/** A look at the segments of a directory by name and header, before anything is read or changed. */

export interface FoundSegment {
  path: string;
  /** As the name says. */
  first: number;
  size: number;
  finding: Exclude<HeaderFinding, 'absent' | 'foreign'>;
  header?: SegmentHeader;
  seed: bigint;
  version?: number;
  firstTimestamp: number | undefined;
}

export interface Survey {
  /** Oldest first. */
  segments: FoundSegment[];
  volume: string | undefined;
  sealed: SealedFinding;
  header: HeaderFinding;
  /** The segment that a finding other than a good one is about. */
  culprit: FoundSegment | undefined;
  /** For a gap: the numbers that are missing. */
  missing: { from: number; to: number } | undefined;
}

/** Looks at the segments; without a given volume the first sound header says whose journal this is. */
export async function survey(disk: Disk, dir: string, volume: string | undefined): Promise<Survey> {
  const segments: FoundSegment[] = [];
  for (const name of (await disk.list(dir)).sort()) {
    const first = firstOfName(name);
    if (first !== undefined) segments.push(await look(disk, join(dir, name), first));
  }
  const owner = volume ?? segments.find((segment) => segment.header !== undefined)?.header?.volume;
  const result: Survey = {
    segments,
    volume: owner,
    sealed: segments.length > 1 ? 'continuous' : 'none',
    header: 'absent',
    culprit: undefined,
    missing: undefined,
  };
  for (const [index, segment] of segments.entries()) {
    const finding = segment.header !== undefined && segment.header.volume !== owner ? 'foreign' : segment.finding;
    if (index === segments.length - 1) result.header = finding;
    else if (finding !== 'sound') result.sealed = finding === 'torn' ? 'bad' : finding;
    if (finding !== 'sound') {
      result.culprit = segment;
      return result;
    }
    const gap = gapBefore(segments[index - 1], segment);
    if (gap !== undefined) return { ...result, sealed: 'gap', culprit: segment, missing: gap };
  }
  return result;
}

async function look(disk: Disk, path: string, first: number): Promise<FoundSegment> {
  const file = await disk.open(path, 'r');
  try {
    const size = await file.size();
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES + RECORD_HEADER_BYTES);
    const filled = await file.read(bytes, 0);
    const decoded = decodeSegmentHeader(bytes.subarray(0, Math.min(filled, SEGMENT_HEADER_BYTES)));
    const found = { path, first, size, seed: 0n, firstTimestamp: undefined };
    if (decoded.state === 'future') return { ...found, finding: 'future', version: decoded.version };
    if (decoded.state === 'bad' || decoded.header.first !== first) {
      return { ...found, finding: size > SEGMENT_HEADER_BYTES ? 'bad' : 'torn' };
    }
    const { header, seed } = decoded;
    const record = decodeHeader(new Block(bytes, 0), SEGMENT_HEADER_BYTES, seed);
    const firstTimestamp = typeof record === 'string' ? undefined : record.timestamp;
    return { ...found, finding: 'sound', header, seed, firstTimestamp };
  } finally {
    await file.close();
  }
}

/** Each header says how many records the segment before it holds, so that a missing one is noticed without reading. */
function gapBefore(before: FoundSegment | undefined, segment: FoundSegment): { from: number; to: number } | undefined {
  if (before === undefined || segment.header === undefined) return undefined;
  const expected = segment.first - segment.header.previousRecords;
  return expected === before.first ? undefined : { from: expected, to: segment.first - 1 };
}
