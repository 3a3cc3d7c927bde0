import { RECORD, RECORD_HEADER_BYTES } from '../../engine/record-layout.js';
import { JournalDamagedError } from '../../errors.js';
import type { DiskFile } from '../disk/disk.js';
import { keyLengthAt } from '../format/record.js';
import type { Segment } from '../format/segment.js';
import { GroupWalk, type WalkPosition } from './group-walk.js';
import { startOf } from './scan.js';

/**
 * Where the payload of every record of a segment lies. Made by reading the segment once, everything checked, and made
 * longer when the segment has grown; after that any payload can be read back without looking at a header.
 */
export class RecordTable {
  private starts = new Uint32Array(1024);
  private lengths = new Uint32Array(1024);
  private count = 0;
  private readonly position: WalkPosition;

  constructor(private readonly segment: Segment) {
    this.position = startOf(segment);
  }

  get bytes(): number {
    return this.starts.byteLength + this.lengths.byteLength;
  }

  /** The newest record in the table. */
  get last(): number {
    return this.segment.first + this.count - 1;
  }

  /** Reads on to the end of what is durable. */
  async extend(file: DiskFile): Promise<void> {
    const { segment, position } = this;
    const walk = new GroupWalk(file, segment.seed, position, {
      record: (block, at) => {
        const start = block.fileOffset + at + RECORD_HEADER_BYTES + keyLengthAt(block.view, at);
        this.add(start, block.view.getUint32(at + RECORD.payloadLength, true));
      },
    });
    const ended = await walk.to(segment.bytes);
    if (ended.reason === 'end') return;
    // Records of a group that turned out bad are in the table already; they must not be served.
    this.count = position.last - segment.first + 1;
    const { offset, last } = position;
    const bad =
      ended.reason === 'bad' ? ended.bad : { offset, sequence: last + 1, found: 'no group header starts here' };
    throw new JournalDamagedError(segment.path, bad.offset, bad.sequence, bad.sequence, bad.found);
  }

  startOf(sequence: number): number {
    return this.starts[sequence - this.segment.first] as number;
  }

  lengthOf(sequence: number): number {
    return this.lengths[sequence - this.segment.first] as number;
  }

  private add(start: number, length: number): void {
    if (this.count === this.starts.length) {
      this.starts = doubled(this.starts);
      this.lengths = doubled(this.lengths);
    }
    this.starts[this.count] = start;
    this.lengths[this.count] = length;
    this.count++;
  }
}

function doubled(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
}
