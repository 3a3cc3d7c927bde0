import { firstOfName } from '../format/format.js';
import type { Segment } from '../format/segment.js';
import {
  decodeSide,
  encodeSideHeader,
  type SegmentIdentity,
  SIDE_CONTENT_BYTES_MAX,
  SIDE_HEADER_BYTES,
  segmentOfSide,
  sidePath,
} from '../format/side-format.js';
import type { JournalState } from '../state/state.js';
import { isDiskTrouble, removeSide } from './remove.js';

/**
 * One small file beside each full segment, whose content is somebody else's and may be lost at any time. Whatever goes
 * wrong with one is no matter of the journal's: then there is none.
 */
export class SideFiles {
  /** By the first record of its segment, the last change of a file, done or under way. Without one there is no file. */
  private readonly changes = new Map<number, Promise<unknown>>();
  private readonly reads = new Set<Promise<unknown>>();
  private held = false;

  constructor(
    private readonly state: JournalState,
    /** What a file leaves free of the disk. */
    private readonly freeBytesMin: number,
    /** The names in the directory; strays are removed already. */
    names: readonly string[],
  ) {
    for (const name of names) {
      const first = firstOfName(segmentOfSide(name) ?? '');
      if (first !== undefined && this.sealed(first) !== undefined) this.changes.set(first, Promise.resolve());
    }
  }

  /** The content for the full segment that starts with a record, a Buffer of its own; undefined when there is none. */
  async read(first: number): Promise<Buffer | undefined> {
    const segment = this.sealed(first);
    if (segment === undefined || this.state.closed) return undefined;
    const read = this.load(segment).catch(unlessTrouble);
    this.reads.add(read);
    try {
      return await read;
    } finally {
      this.reads.delete(read);
    }
  }

  /** Writes the content for a full segment, in place of what there was; false when it cannot be kept. */
  async write(first: number, content: Uint8Array): Promise<boolean> {
    if (this.taking(first) === undefined || content.byteLength > SIDE_CONTENT_BYTES_MAX) return false;
    const before = this.changes.get(first) ?? Promise.resolve();
    const change = before.then(() => this.place(first, content)).catch(unlessTrouble);
    this.changes.set(
      first,
      change.catch(() => {}),
    );
    return (await change) === true;
  }

  /** Removes the file of a segment that has been taken out of the journal and still has its name. */
  async remove({ first, path }: Segment): Promise<void> {
    const change = this.changes.get(first);
    if (change === undefined) return;
    this.changes.delete(first);
    await change;
    await removeSide(this.state.disk, sidePath(path));
  }

  /** Resolves when nothing is being written; nothing is until `resume`. */
  async hold(): Promise<void> {
    this.held = true;
    await Promise.all(this.changes.values());
  }

  resume(): void {
    this.held = false;
    for (const first of this.changes.keys()) if (this.sealed(first) === undefined) this.changes.delete(first);
  }

  /** Once what is under way is done; the journal is closed and takes no more. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.changes.values(), ...this.reads]);
  }

  private sealed(first: number): Segment | undefined {
    const { segments } = this.state;
    const segment = segments.holding(first);
    return segment?.first === first && segment !== segments.active ? segment : undefined;
  }

  /** The full segment that starts with a record, if something may be put beside it now. */
  private taking(first: number): Segment | undefined {
    return this.held || this.state.refusal !== undefined ? undefined : this.sealed(first);
  }

  private identity(segment: Segment): SegmentIdentity | undefined {
    const next = this.state.segments.after(segment);
    const { seed, first, last } = segment;
    return next && { seed, first, last, chain: next.header.chain };
  }

  private async load(segment: Segment): Promise<Buffer | undefined> {
    const { disk, segments } = this.state;
    const identity = this.identity(segment);
    if (identity === undefined) return undefined;
    const file = await disk.open(sidePath(segment.path), 'r');
    try {
      const size = await file.size();
      if (size < SIDE_HEADER_BYTES || size > SIDE_HEADER_BYTES + SIDE_CONTENT_BYTES_MAX) return undefined;
      const bytes = Buffer.allocUnsafeSlow(size);
      const filled = await file.read(bytes, 0);
      const content = decodeSide(bytes.subarray(0, filled), identity);
      return segments.has(segment) ? content : undefined;
    } finally {
      await file.close();
    }
  }

  /** Writes beside its place and renames. No sync: what a power cut leaves of it, its checksum tells. */
  private async place(first: number, content: Uint8Array): Promise<boolean> {
    const { disk, dir } = this.state;
    const segment = this.taking(first);
    const identity = segment && this.identity(segment);
    if (segment === undefined || identity === undefined) return false;
    const bytes = SIDE_HEADER_BYTES + content.byteLength;
    if ((await disk.freeBytes(dir)) - bytes < this.freeBytesMin) return false;
    const path = sidePath(segment.path);
    const aside = `${path}.tmp`;
    try {
      const file = await disk.open(aside, 'w');
      try {
        await file.write([encodeSideHeader(identity, content), content], 0);
      } finally {
        await file.close();
      }
      // Whoever frees it takes it out of the list first, and then waits for this.
      if (this.taking(first) === segment) {
        await disk.rename(aside, path);
        return true;
      }
    } catch (error) {
      if (!isDiskTrouble(error)) throw error;
    }
    await removeSide(disk, aside);
    return false;
  }
}

function unlessTrouble(error: unknown): undefined {
  if (!isDiskTrouble(error)) throw error;
}
