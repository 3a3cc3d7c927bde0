import { join } from 'node:path';
import type { Disk, DiskFile } from '../disk/disk.js';
import { decodeFooter, FOOTER_BYTES, type Footer, footerBytesOf } from '../format/footer.js';
import {
  DATA_START,
  decodeSegmentHeader,
  firstOfName,
  PAGE_BYTES,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from '../format/format.js';
import type { HeaderFinding } from './table.js';

/** A look at the segments of a directory by name, header and footer, before anything else is read or changed. */

/** More than any footer takes: a trailer that says otherwise is none. */
const FOOTER_BYTES_MAX = 1024 * 1024;

export interface FoundSegment {
  path: string;
  /** As the name says. */
  first: number;
  size: number;
  finding: HeaderFinding;
  header?: SegmentHeader;
  seed: bigint;
  version?: number;
  footer: Footer | undefined;
  /** Where the footer starts; the size of the file if there is none. */
  contentEnd: number;
}

export interface Survey {
  /** Oldest first. */
  segments: FoundSegment[];
  volume: string | undefined;
  /** Every name in the directory, in order. */
  names: string[];
}

/** Looks at the segments; without a given volume the first sound header says whose journal this is. */
export async function survey(disk: Disk, dir: string, volume: string | undefined): Promise<Survey> {
  const segments: FoundSegment[] = [];
  const names = (await disk.list(dir)).sort();
  for (const name of names) {
    const first = firstOfName(name);
    if (first !== undefined) segments.push(await look(disk, join(dir, name), first));
  }
  const owner = volume ?? segments.find((segment) => segment.header !== undefined)?.header?.volume;
  for (const segment of segments) {
    if (segment.header !== undefined && segment.header.volume !== owner) segment.finding = 'foreign';
  }
  return { segments, volume: owner, names };
}

async function look(disk: Disk, path: string, first: number): Promise<FoundSegment> {
  const file = await disk.open(path, 'r');
  try {
    const size = await file.size();
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const filled = await file.read(bytes, 0);
    const decoded = decodeSegmentHeader(bytes.subarray(0, filled));
    const found = { path, first, size, seed: 0n, footer: undefined, contentEnd: size };
    if (decoded.state === 'other') return { ...found, finding: 'other', version: decoded.version };
    if (decoded.state === 'bad' || decoded.header.first !== first) {
      return { ...found, finding: size > DATA_START ? 'bad' : 'torn' };
    }
    const { header, seed } = decoded;
    const { footer, contentEnd } = await readFooter(file, size, seed);
    return { ...found, finding: 'valid', header, seed, footer, contentEnd };
  } finally {
    await file.close();
  }
}

/** The footer of a segment, and where it starts: at `size` if there is none. */
export async function readFooter(
  file: DiskFile,
  size: number,
  seed: bigint,
): Promise<{ footer: Footer | undefined; contentEnd: number }> {
  const none = { footer: undefined, contentEnd: size };
  if (size < DATA_START + FOOTER_BYTES) return none;
  let tail = await readEnd(file, size, Math.min(PAGE_BYTES, size - DATA_START));
  const bytes = footerBytesOf(tail);
  if (bytes === undefined || bytes > FOOTER_BYTES_MAX || bytes > size - DATA_START) return none;
  if (bytes > tail.byteLength) tail = await readEnd(file, size, bytes);
  const footer = decodeFooter(tail.subarray(tail.byteLength - bytes), seed);
  return footer === undefined ? none : { footer, contentEnd: size - bytes };
}

async function readEnd(file: DiskFile, size: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  const filled = await file.read(buffer, size - bytes);
  return buffer.subarray(0, filled);
}
