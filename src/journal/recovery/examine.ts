import type { Disk, DiskFile } from '../disk/disk.js';
import { recordBytesAt } from '../format/record.js';
import { Segment } from '../format/segment.js';
import { type Scan, scanSegment } from '../scan/scan.js';
import type { RecentRecords } from '../state/recent.js';
import type { FoundSegment } from './survey.js';
import type { Findings } from './table.js';

/** Looks at one segment closely enough for the recovery table: by its footer when it is full, record by record when not. */

export interface Examined {
  findings: Findings;
  segment: Segment | undefined;
  /** What reading it whole told; undefined when the footer was enough, or the header too little. */
  scan: Scan | undefined;
  /** The highest record that anything proves durable. */
  proven: number;
}

const NOTHING_FOUND: Findings = {
  segment: 'present',
  header: 'valid',
  recordHeader: 'valid',
  payload: 'valid',
  chain: 'valid',
  covered: 'no',
  last: 'no',
  validAfter: 'no',
  footer: 'absent',
};

/** No segment where one should be: the last one, or one that a later segment follows. */
export function absent(covered: boolean, last: boolean): Findings {
  return { ...NOTHING_FOUND, segment: 'absent', covered: yes(covered), last: yes(last) };
}

/** A full segment, which `next` follows. */
export async function examineFull(disk: Disk, found: FoundSegment, next: FoundSegment): Promise<Examined> {
  const findings: Findings = { ...NOTHING_FOUND, header: found.finding, covered: 'yes' };
  const proven = next.first - 1;
  const segment = segmentOf(found);
  if (segment === undefined) return { findings, segment, scan: undefined, proven };
  if (isFooterOf(found, next)) {
    findings.footer = 'present';
    segment.last = found.footer?.last ?? segment.last;
    segment.bytes = found.footer?.end ?? segment.bytes;
    segment.adopt(found.footer?.index ?? []);
    return { findings, segment, scan: undefined, proven };
  }
  const file = await disk.open(found.path, 'r');
  try {
    const scan = await scanSegment(file, segment, found.contentEnd, {});
    scan.bad = misfit(scan, next);
    if (scan.bad !== undefined) findings[scan.bad.part] = 'invalid';
    findings.validAfter = yes(scan.validAfter);
    segment.last = scan.last;
    segment.bytes = scan.end;
    return { findings, segment, scan, proven };
  } finally {
    await file.close();
  }
}

/** The last segment, whose file is open if its header is sound. `proof` is what cursors prove durable. */
export async function examineLast(
  file: DiskFile | undefined,
  found: FoundSegment,
  proof: number,
  recent: RecentRecords,
  address: number,
): Promise<Examined> {
  const findings: Findings = { ...NOTHING_FOUND, header: found.finding, last: 'yes' };
  const segment = segmentOf(found);
  if (segment === undefined || file === undefined) {
    findings.covered = yes(proof >= found.first);
    return { findings, segment, scan: undefined, proven: proof };
  }
  segment.address = address;
  recent.restart(segment.first);
  const scan = await scanSegment(file, segment, found.contentEnd, {
    record(block, at, group) {
      const end = block.fileOffset + at + recordBytesAt(block.view, at);
      recent.add(block.view, at, address + end, address + group);
    },
  });
  const proven = Math.max(proof, scan.proven, found.footer?.last ?? 0);
  if (scan.bad !== undefined) findings[scan.bad.part] = 'invalid';
  findings.covered = yes(proven > scan.last);
  findings.validAfter = yes(scan.validAfter);
  findings.footer = found.footer === undefined ? 'absent' : 'present';
  segment.last = scan.last;
  segment.bytes = scan.end;
  return { findings, segment, scan, proven };
}

function segmentOf(found: FoundSegment): Segment | undefined {
  if (found.finding !== 'valid' || found.header === undefined) return undefined;
  const segment = new Segment(found.path, found.header, found.seed);
  segment.fileBytes = found.size;
  return segment;
}

/** A segment may have been closed, reopened and filled further: then only the last footer fits what follows. */
function isFooterOf({ footer }: FoundSegment, next: FoundSegment): boolean {
  if (footer === undefined || footer.last !== next.first - 1) return false;
  return next.header === undefined || next.header.chain === footer.chain;
}

/** What is wrong with a full segment. What lies behind the record before the next one's first is no matter. */
function misfit(scan: Scan, next: FoundSegment): Scan['bad'] {
  const { last, end: offset, bad } = scan;
  const sequence = last + 1;
  if (last !== next.first - 1) {
    return bad ?? { part: 'recordHeader', found: 'the segment ends before it', offset, sequence };
  }
  if (next.header === undefined || next.header.chain === scan.chain) return undefined;
  return { part: 'chain', found: 'the chain does not lead to the next segment', offset, sequence };
}

function yes(is: boolean): 'yes' | 'no' {
  return is ? 'yes' : 'no';
}
