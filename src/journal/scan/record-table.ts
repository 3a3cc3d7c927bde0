import { RECORD } from '../../engine/record-layout.js';
import { JournalDamagedError } from '../../errors.js';
import { keyLengthAt } from '../format/record.js';
import type { Segment } from '../format/segment.js';
import type { Readable } from './block.js';
import { GroupWalk, type WalkPosition } from './group-walk.js';
import { type PayloadPlace, PayloadPlaces, type RecordPlace } from './payload-places.js';
import { startAt } from './scan.js';

/** About what a table takes besides its places. */
const OVERHEAD_BYTES = 512;

/**
 * Where the payloads lie of the records of a stretch: what lies between two places of a segment's index. Made by reading
 * the stretch once, everything checked, and made longer when it has grown; after that any payload of it can be read back
 * without looking at a header.
 */
export class RecordTable {
  private readonly places: PayloadPlaces;
  /** Up to where the table goes. */
  private position: WalkPosition | undefined;
  private walking: Promise<JournalDamagedError | undefined> | undefined;

  constructor(
    private readonly segment: Segment,
    /** The first record of the stretch. */
    private readonly first: number,
    /** Where its group starts. */
    private readonly offset: number,
  ) {
    this.places = new PayloadPlaces(offset);
  }

  get bytes(): number {
    return OVERHEAD_BYTES + this.places.bytes;
  }

  /** The newest record in the table. */
  get last(): number {
    return this.first + this.places.count - 1;
  }

  /** Of a record from `first` to `last`. */
  payloadOf(sequence: number): PayloadPlace {
    return this.places.at(sequence - this.first);
  }

  /**
   * Sees to it that a record of the stretch is in the table; JournalDamagedError when something bad stands before it. One
   * walk at a time: calls that come meanwhile share it, and walk on if it was not far enough.
   */
  async reach(sequence: number, file: Readable): Promise<void> {
    await this.walking;
    if (sequence <= this.last) return;
    this.walking ??= this.walk(file).finally(() => {
      this.walking = undefined;
    });
    const damage = await this.walking;
    if (sequence > this.last) throw damage ?? this.damage(this.offset, sequence, 'its stretch ends before it');
  }

  /** Reads on to the end of what is durable. */
  private async walk(file: Readable): Promise<JournalDamagedError | undefined> {
    const { segment, first, last } = this;
    const position = this.position ?? (await startAt(file, segment, { sequence: first, offset: this.offset }));
    if (position === undefined) return this.damage(this.offset, first, 'no group header starts here');
    this.position = position;
    const records: RecordPlace[] = [];
    const walk = new GroupWalk(file, segment.seed, position, {
      record: (block, at) => {
        const payloadLength = block.view.getUint32(at + RECORD.payloadLength, true);
        records.push({ start: block.fileOffset + at, keyLength: keyLengthAt(block.view, at), payloadLength });
      },
    });
    const ended = await walk.to(segment.endNear(first));
    // Records of a group that turned out bad were seen too; they must not be served.
    records.length = position.last - last;
    this.places.add(records);
    if (ended.reason === 'end') return undefined;
    if (ended.reason === 'noGroup')
      return this.damage(position.offset, position.last + 1, 'no group header starts here');
    return this.damage(ended.bad.offset, ended.bad.sequence, ended.bad.found);
  }

  private damage(offset: number, sequence: number, found: string): JournalDamagedError {
    return new JournalDamagedError(this.segment.path, offset, sequence, sequence, found);
  }
}

/** The tables of the stretches of a segment that were read from. */
export class SegmentTable {
  private readonly stretches = new Map<number, RecordTable>();

  constructor(private readonly segment: Segment) {}

  get bytes(): number {
    let bytes = OVERHEAD_BYTES;
    for (const table of this.stretches.values()) bytes += table.bytes;
    return bytes;
  }

  /** That of the stretch that a record lies in, which need not hold it yet. */
  near(sequence: number): RecordTable {
    const { sequence: first, offset } = this.segment.near(sequence);
    let table = this.stretches.get(first);
    if (table === undefined) {
      table = new RecordTable(this.segment, first, offset);
      this.stretches.set(first, table);
    }
    return table;
  }
}
