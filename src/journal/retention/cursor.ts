import { dirname } from 'node:path';
import {
  CursorDetachedError,
  InvalidArgumentError,
  JournalDamagedError,
  type LonghaulError,
  SequenceGoneError,
  StorageError,
} from '../../errors.js';
import type { Disk, DiskFile } from '../disk/disk.js';
import { CURSOR_SLOT_STRIDE, type CursorSlot, encodeSlot, slotOffset } from '../format/cursor-format.js';

/**
 * What happens when a cursor holds back more than the journal may keep: appends wait, or fail, or the journal goes on
 * without the cursor, whose owner then has to start anew.
 */
export type OnFull = 'block' | 'error' | 'detach';

/** What a cursor needs of the journal around it. */
export interface CursorHome {
  disk: Disk;
  readonly first: number;
  readonly last: number;
  readonly refusal: LonghaulError | undefined;
  /** For cursors that say nothing of their own. */
  readonly onFull: OnFull;
  chainAt(sequence: number): Promise<bigint | undefined>;
  /** What it holds back has changed, or what happens because of that. */
  moved(): void;
  fail(error: unknown): void;
}

interface Waiter {
  sequence: number;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** A named, persisted position: everything up to it is no longer needed by whoever owns the cursor. */
export interface JournalCursor {
  readonly name: string;
  /** The newest sequence number that the cursor has durably passed. */
  readonly position: number;
  /** The chain at the position, if it was known when the cursor got there. */
  readonly chain: bigint | undefined;
  /**
   * Moves the cursor up to and including `sequence`; durable when resolved. Calls made while the disk is busy share the
   * next write. A cursor never moves back: a lower number is ignored.
   */
  advance(sequence: number): Promise<void>;
  /** What happens when the cursor holds back more than the journal may keep. */
  readonly onFull: OnFull;
  /** Whether the journal went on without the cursor: it holds nothing back any more, and `advance` is refused. */
  readonly detached: boolean;
  /**
   * Puts a detached cursor at `sequence`, not below its position, and has it hold back what comes after; refused with
   * SequenceGoneError when that has left the journal.
   */
  reattach(sequence: number): Promise<void>;
}

/** A cursor of an open journal. */
export class OpenCursor implements JournalCursor {
  private slot: CursorSlot;
  private target: number;
  private waiters: Waiter[] = [];
  /** The move that the waiters share, until it is over. */
  private running: Promise<void> | undefined;
  /** Resolves when the change under way is over. */
  private turn: Promise<void>;
  private dropping: Promise<void> | undefined;
  /** Whether it is removed for good. */
  private gone = false;
  /** When it last moved, by performance.now(). */
  movedAt = performance.now();
  onFull: OnFull;
  private readonly file: Promise<DiskFile>;

  constructor(
    readonly name: string,
    private readonly path: string,
    private readonly home: CursorHome,
    origin: ({ loaded: CursorSlot } | { at: number }) & { onFull: OnFull },
  ) {
    this.onFull = origin.onFull;
    if ('loaded' in origin) {
      this.slot = origin.loaded;
      this.file = home.disk.open(path, 'r+');
    } else {
      this.slot = { counter: 0, sequence: origin.at, chain: undefined, detached: false };
      this.file = this.create(origin.at);
    }
    this.target = this.slot.sequence;
    this.file.catch((error: unknown) => home.fail(error));
    // Its making is the first change: no other meets a file that is not there yet.
    this.turn = settled(this.file);
  }

  get position(): number {
    return this.slot.sequence;
  }

  get chain(): bigint | undefined {
    return this.slot.chain;
  }

  get detached(): boolean {
    return this.slot.detached;
  }

  async advance(sequence: number): Promise<void> {
    this.refuse();
    if (this.slot.detached) throw new CursorDetachedError(this.name, this.position);
    if (!Number.isSafeInteger(sequence) || sequence < 0 || sequence > this.home.last) {
      throw new InvalidArgumentError('sequence', sequence, `an integer from 0 to ${this.home.last}, the newest record`);
    }
    if (sequence <= this.slot.sequence) {
      await this.file;
      return;
    }
    this.target = Math.max(this.target, sequence);
    await new Promise<void>((resolve, reject) => {
      this.waiters.push({ sequence, resolve, reject });
      this.running ??= this.exclusively(() => this.run());
    });
  }

  /**
   * Lets go of everything it holds back, durably; the journal then goes on without it. Not if it has moved on so far
   * meanwhile that `must` says no; tells whether it did.
   */
  detach(must: () => boolean): Promise<boolean> {
    return this.exclusively(async () => {
      if (this.dropping !== undefined || this.slot.detached || this.home.refusal !== undefined || !must()) return false;
      await this.write({ ...this.slot, detached: true });
      this.home.moved();
      return true;
    });
  }

  async reattach(sequence: number): Promise<void> {
    this.refuse();
    const { last } = this.home;
    if (!Number.isSafeInteger(sequence) || sequence < this.position || sequence > last) {
      throw new InvalidArgumentError('sequence', sequence, `an integer from ${this.position} to ${last}`);
    }
    if (!this.slot.detached) return this.advance(sequence);
    await this.exclusively(async () => {
      const chain = await this.chainAt(sequence);
      const { first, last } = this.home;
      if (sequence < first - 1) throw new SequenceGoneError(sequence + 1, first, last);
      await this.place({ sequence, chain, detached: false });
    });
    this.home.moved();
  }

  /** Part of a reset: the one way back. */
  moveTo(sequence: number, chain: bigint | undefined): Promise<void> {
    return this.exclusively(async () => {
      if (!this.gone) await this.place({ sequence, chain, detached: false });
    });
  }

  /** Part of a cut: a position beyond it goes back. */
  moveBack(sequence: number, chain: bigint): Promise<void> {
    return this.exclusively(async () => {
      const { detached } = this.slot;
      if (!this.gone && this.slot.sequence > sequence) await this.place({ sequence, chain, detached });
    });
  }

  close(): Promise<void> {
    return this.exclusively(async () => {
      const file = await this.file.catch(() => undefined);
      if (!this.gone) await file?.close();
    });
  }

  /**
   * Removes it durably, after the change under way. What comes after finds it gone: a reset or a cut that moves all
   * cursors ends only when a power cut can no longer bring this one back where it was.
   */
  drop(): Promise<void> {
    this.dropping ??= this.exclusively(() => this.remove());
    return this.dropping;
  }

  private async remove(): Promise<void> {
    const { disk } = this.home;
    try {
      const file = await this.file;
      await disk.remove(this.path);
      await disk.syncDirectory(dirname(this.path));
      this.gone = true;
      await file.close();
    } catch (error) {
      this.home.fail(error);
      throw error;
    }
  }

  private refuse(): void {
    const refusal = this.home.refusal;
    if (refusal !== undefined) throw refusal;
    if (this.dropping !== undefined)
      throw new InvalidArgumentError('cursor', this.name, 'a cursor that was not dropped');
  }

  /** One change at a time: each writes the slot that the one before it did not. */
  private exclusively<T>(change: () => Promise<T>): Promise<T> {
    const run = this.turn.then(change);
    this.turn = settled(run);
    return run;
  }

  /** Counts for the journal at once, so that nothing is freed that it holds back from now on. */
  private async place(at: Pick<CursorSlot, 'sequence' | 'chain' | 'detached'>): Promise<void> {
    this.target = at.sequence;
    this.slot = { ...this.slot, ...at };
    this.movedAt = performance.now();
    try {
      await this.write(this.slot);
    } catch (error) {
      this.home.fail(error);
      throw error;
    }
  }

  private async run(): Promise<void> {
    try {
      while (this.target > this.slot.sequence) {
        // The journal went on without it while the move stood in line.
        if (this.slot.detached) return this.refuseWaiters(new CursorDetachedError(this.name, this.position));
        const sequence = this.target;
        const chain = await this.chainAt(sequence);
        await this.write({ ...this.slot, sequence, chain });
        this.movedAt = performance.now();
        this.home.moved();
        const waiters = this.waiters;
        this.waiters = waiters.filter((waiter) => waiter.sequence > sequence);
        for (const waiter of waiters) if (waiter.sequence <= sequence) waiter.resolve();
      }
    } catch (error) {
      this.home.fail(error);
      this.refuseWaiters(this.home.refusal ?? (error as Error));
    } finally {
      this.running = undefined;
    }
  }

  /** Not known when the record cannot be read any more: what the owner has, it has. */
  private async chainAt(sequence: number): Promise<bigint | undefined> {
    try {
      return await this.home.chainAt(sequence);
    } catch (error) {
      if (error instanceof JournalDamagedError || error instanceof StorageError) return undefined;
      throw error;
    }
  }

  private refuseWaiters(error: Error): void {
    const waiters = this.waiters;
    this.waiters = [];
    this.target = this.slot.sequence;
    for (const waiter of waiters) waiter.reject(error);
  }

  private async write(slot: CursorSlot): Promise<void> {
    const file = await this.file;
    const next = { ...slot, counter: slot.counter + 1 };
    await file.write([encodeSlot(next)], slotOffset(next.counter));
    await file.datasync();
    this.slot = next;
  }

  /** The file comes into being with its first slot in place, under its name only when both are durable. */
  private async create(at: number): Promise<DiskFile> {
    const { disk } = this.home;
    const chain = await this.chainAt(at);
    this.slot = { counter: 0, sequence: at, chain, detached: false };
    const bytes = new Uint8Array(CURSOR_SLOT_STRIDE * 2);
    bytes.set(encodeSlot(this.slot), slotOffset(0));
    await disk.placeFile(`${this.path}.tmp`, this.path, bytes);
    await disk.syncDirectory(dirname(this.path));
    return disk.open(this.path, 'r+');
  }
}

/** Resolves when a promise is settled, whichever way. */
function settled(promise: Promise<unknown>): Promise<void> {
  return promise.then(
    () => {},
    () => {},
  );
}
