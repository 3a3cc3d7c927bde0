import { RepairRefusedError } from '../../errors.js';
import type { Disk, DiskFile } from '../disk/disk.js';
import { DATA_START, type SegmentHeader } from '../format/format.js';
import { recordBytesAt, sequenceAt } from '../format/record.js';
import { findGroup } from '../scan/find-group.js';
import { GroupWalk, type WalkPosition } from '../scan/group-walk.js';
import { SegmentBuilder, type SegmentEnd } from '../write/segment-builder.js';
import type { Content, Piece } from './pieces.js';
import type { RepairRecords } from './source.js';

/** What something sound in the journal says the chain up to a record is. */
export interface Proof {
  chain: bigint;
  /** Where it stands, for a person. */
  where: string;
}

/** Records of the source that nothing has proved yet. */
export interface Unproved {
  segment: string;
  from: number;
  to: number;
}

export interface PieceTools {
  disk: Disk;
  dir: string;
  records: RepairRecords;
  proofs: ReadonlyMap<number, readonly Proof[]>;
}

/**
 * Makes a segment anew, aside: the sound records of its file, and those of the source where there is none. Whatever of
 * the file follows on records of the source must follow by the chain, or they are not the records that were there.
 */
export class PieceRepair {
  private builder!: SegmentBuilder;

  constructor(
    private readonly tools: PieceTools,
    private readonly piece: Piece,
    private readonly header: SegmentHeader,
    /** What was taken from the source for the pieces before, and is still to be proved. */
    private unproved: Unproved | undefined,
  ) {}

  get aside(): string {
    return `${this.piece.path}.repair`;
  }

  /** `need` is the last record that it has to hold. The file is durable when this resolves, and has no name yet. */
  async run(
    file: DiskFile | undefined,
    content: Content | undefined,
    need: number,
  ): Promise<{ end: SegmentEnd; unproved: Unproved | undefined }> {
    const { disk, dir } = this.tools;
    this.builder = await SegmentBuilder.create(disk, dir, { path: this.aside, header: this.header, fileBytesMax: 0 });
    const { builder } = this;
    try {
      const { first: next, chain, epoch } = this.header;
      let from = DATA_START;
      if (file !== undefined && content !== undefined && this.piece.found?.header !== undefined) {
        from = await this.copy(file, content, { offset: from, last: next - 1, chain, epoch }, need);
      }
      while (builder.last < need) {
        const search = { from, to: content?.end ?? 0, after: builder.last };
        const group = file && content ? await findGroup(file, content.seed, search) : undefined;
        const reachable = group !== undefined && group.header.first <= need + 1 ? group : undefined;
        await this.fill(reachable === undefined ? need : reachable.header.first - 1);
        if (file === undefined || content === undefined || reachable === undefined) continue;
        const { first, chain: stored } = reachable.header;
        await this.prove(first - 1, [{ chain: stored, where: `the group at byte ${reachable.offset} of its file` }]);
        const position = { offset: reachable.offset, last: first - 1, chain: stored, epoch: builder.epoch };
        from = await this.copy(file, content, position, need);
      }
      const proofs = this.tools.proofs.get(builder.last);
      if (proofs !== undefined) await this.prove(builder.last, proofs);
      return { end: await builder.finish(), unproved: this.unproved };
    } finally {
      await builder.close();
    }
  }

  /**
   * Takes sound groups of the file from a position on; returns where to look for more. Of one that is damaged its sound
   * records are taken if they are needed: a group that nothing proves was written whole or not at all.
   */
  private async copy(file: DiskFile, content: Content, position: WalkPosition, need: number): Promise<number> {
    let found: { sequence: number; bytes: Buffer }[] = [];
    const walk = new GroupWalk(file, content.seed, position, {
      record(block, at) {
        // A copy: the group may go on in the next block.
        const bytes = Buffer.from(block.bytes.subarray(at, at + recordBytesAt(block.view, at)));
        found.push({ sequence: sequenceAt(block.view, at), bytes });
      },
    });
    for (;;) {
      const ended = await walk.next(content.end);
      for (const { sequence, bytes } of found) {
        if (sequence <= need || (ended === undefined && this.piece.isLast)) this.builder.addBytes(bytes);
      }
      found = [];
      await this.builder.relieve();
      if (ended !== undefined) return position.offset + 1;
    }
  }

  /** Takes records of the source up to `to`, and compares the chain wherever something says what it should be. */
  private async fill(to: number): Promise<void> {
    const { builder, piece, tools } = this;
    const from = builder.last + 1;
    if (from > to) return;
    this.unproved = { segment: this.unproved?.segment ?? piece.path, from: this.unproved?.from ?? from, to };
    for await (const entry of tools.records.stretch(piece.path, from, to)) {
      if (entry.epoch < builder.epoch) {
        const found = `record ${entry.sequence} of the source has epoch ${entry.epoch}`;
        throw new RepairRefusedError(piece.path, from, to, found, `at least ${builder.epoch}`);
      }
      builder.addEntry(entry);
      await builder.relieve();
      const proofs = tools.proofs.get(entry.sequence);
      if (proofs !== undefined) await this.prove(entry.sequence, proofs);
    }
  }

  /** What was filled in leads to `sequence`; what stands there must follow. */
  private async prove(sequence: number, proofs: readonly Proof[]): Promise<void> {
    const { chain } = await this.builder.commit();
    const differs = proofs.find((proof) => proof.chain !== chain);
    if (differs !== undefined) {
      const { segment, from, to } = this.unproved ?? { segment: this.piece.path, from: sequence, to: sequence };
      const found = `the chain at record ${sequence} is ${hex(chain)} with them`;
      throw new RepairRefusedError(segment, from, to, found, `${hex(differs.chain)}, as ${differs.where} says`);
    }
    if (this.unproved === undefined) return;
    const { to } = this.unproved;
    this.unproved = sequence >= to ? undefined : { ...this.unproved, from: sequence + 1 };
  }
}

export function hex(chain: bigint): string {
  return chain.toString(16).padStart(16, '0');
}
