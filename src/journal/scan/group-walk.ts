import { kernels } from '../../engine/engine.js';
import { CHECK_STATE_FIELDS, RECORD_HEADER_BYTES, STATE, STOP } from '../../engine/record-layout.js';
import { decodeGroupHeader, GROUP_HEADER_BYTES, type GroupHeader } from '../format/format.js';
import { recordBytesAt, sequenceAt, timestampAt } from '../format/record.js';
import type { Block, Readable } from './block.js';
import { ReadAhead } from './read-ahead.js';

/** Goes through a segment file group by group, checking everything. Opening, scrubbing and positional reads share it. */

const RECORDS_MAX = 4096;

/** What is wrong with a group or with one of its records. */
export interface BadGroup {
  part: 'recordHeader' | 'payload' | 'chain';
  found: string;
  /** Of the bad record, or of the group when its header is bad. */
  offset: number;
  sequence: number;
}

/** Where a walk stands: everything before is sound. */
export interface WalkPosition {
  offset: number;
  last: number;
  chain: bigint;
  epoch: number;
}

export interface WalkVisitor {
  /** A sound group, after its records. */
  group?(header: GroupHeader, offset: number, firstTimestamp: number): void;
  /** A sound record at `at` of the block, whose memory is used again, in the group that starts at `group`. */
  record?(block: Block, at: number, group: number): void;
}

/** Why a walk ended: at the end it was given, where no group of this segment starts, or at something bad. */
export type WalkEnd = { reason: 'end' } | { reason: 'noGroup' } | { reason: 'bad'; bad: BadGroup };

export class GroupWalk {
  private readonly file: ReadAhead;
  private firstTimestamp = 0;
  private readonly state = new BigUint64Array(CHECK_STATE_FIELDS);
  private readonly found = new Float64Array(RECORDS_MAX);

  constructor(
    file: Readable,
    private readonly seed: bigint,
    public position: WalkPosition,
    private readonly visitor: WalkVisitor,
  ) {
    this.file = new ReadAhead(file);
  }

  /** Goes on to `end`, or to where no sound group follows; `position` is behind the last sound group then. */
  async to(end: number): Promise<WalkEnd> {
    for (;;) {
      const ended = await this.next(end);
      if (ended !== undefined) return ended;
    }
  }

  /** Goes over one group; undefined when it was sound, or else why the walk ends here. */
  async next(end: number): Promise<WalkEnd | undefined> {
    const { position } = this;
    if (position.offset >= end) return { reason: 'end' };
    await this.file.load(position.offset, GROUP_HEADER_BYTES, end);
    const { block } = this.file;
    const header = decodeGroupHeader(block.bytes, position.offset - block.fileOffset, this.seed);
    if (header === undefined) return { reason: 'noGroup' };
    const bad = this.misfit(header, end) ?? (await this.records(header, end));
    if (bad !== undefined) return { reason: 'bad', bad };
    this.visitor.group?.(header, position.offset, this.firstTimestamp);
    position.offset += header.bytes;
    return undefined;
  }

  private misfit(header: GroupHeader, end: number): BadGroup | undefined {
    const { position } = this;
    const sequence = position.last + 1;
    const bad = (part: BadGroup['part'], found: string) => ({ part, found, offset: position.offset, sequence });
    if (header.first !== sequence)
      return bad('recordHeader', `record ${header.first} stands where ${sequence} belongs`);
    if (header.chain !== position.chain) return bad('chain', 'the chain before the group differs');
    if (position.offset + header.bytes > end) return bad('recordHeader', 'the file ends within a group');
    return undefined;
  }

  /** Checks the records of a group; their visits come before anything is known of those behind. */
  private async records(header: GroupHeader, fileEnd: number): Promise<BadGroup | undefined> {
    const { position, state, found } = this;
    const end = position.offset + header.bytes;
    state.set([this.seed, position.chain, BigInt(header.first), 0n, BigInt(position.epoch)]);
    let offset = position.offset + GROUP_HEADER_BYTES;
    while (offset < end) {
      await this.file.load(offset, Math.min(RECORD_HEADER_BYTES, end - offset), fileEnd);
      let count = this.check(offset, end);
      if (count === 0 && this.cutByBlock(end)) {
        // One record may be larger than a block: the group says how far it can reach.
        await this.file.load(offset, end - offset, fileEnd);
        count = this.check(offset, end);
      }
      if (count === 0) return this.badRecord(offset);
      const { block } = this.file;
      const start = found[0] as number;
      if (sequenceAt(block.view, start) === header.first) this.firstTimestamp = timestampAt(block.view, start);
      for (let index = 0; index < count; index++) this.visitor.record?.(block, found[index] as number, position.offset);
      const last = found[count - 1] as number;
      offset = block.fileOffset + last + recordBytesAt(block.view, last);
    }
    if (Number(state[STATE.sequence]) !== header.first + header.records)
      return this.badRecord(offset, 'the group has other records than it says');
    position.last = header.first + header.records - 1;
    position.chain = state[STATE.chain] as bigint;
    position.epoch = Number(state[STATE.epoch]);
    return undefined;
  }

  private check(offset: number, end: number): number {
    const { block } = this.file;
    const stop = Math.min(end - block.fileOffset, block.bytes.byteLength);
    return kernels.checkRecords(block.bytes, offset - block.fileOffset, stop, this.state, this.found);
  }

  private cutByBlock(end: number): boolean {
    return Number(this.state[STATE.stop]) === STOP.cutOff && this.file.block.fileEnd < end;
  }

  private badRecord(offset: number, found?: string): BadGroup {
    const reason = Number(this.state[STATE.stop]);
    const part = reason === STOP.payloadChecksum ? 'payload' : reason === STOP.chain ? 'chain' : 'recordHeader';
    return { part, found: found ?? describeStop(reason), offset, sequence: Number(this.state[STATE.sequence]) };
  }
}

/** What is wrong where the check of records stopped. */
export function describeStop(reason: number): string {
  switch (reason) {
    case STOP.cutOff:
      return 'a record does not end where its group does';
    case STOP.headerChecksum:
      return 'header checksum differs';
    case STOP.sequence:
      return 'another record stands in its place';
    case STOP.chain:
      return 'chain differs';
    case STOP.payloadChecksum:
      return 'payload checksum differs';
    case STOP.epoch:
      return 'its epoch is lower than that of the record before';
    default:
      return 'the group is longer than its records';
  }
}
