import { dirname } from 'node:path';
import { CursorDetachedError, InvalidArgumentError, type LonghaulError } from '../errors.js';
import { CURSOR_SLOT_STRIDE, type CursorSlot, encodeSlot, slotOffset } from './cursor-format.js';
import type { Disk, DiskFile } from './disk.js';

/**
 * What happens when a cursor holds back more than the journal may keep: appends wait, or fail, or the journal goes on
 * without the cursor, whose owner then has to start anew.
 */
export type OnFull = 'block' | 'error' | 'detach';

/** What a cursor needs of the journal around it. */
export interface CursorHome {
  disk: Disk;
  readonly last: number;
  readonly refusal: LonghaulError | undefined;
  /** For cursors that say nothing of their own. */
  readonly onFull: OnFull;
  chainAt(sequence: number): Promise<bigint | undefined>;
  /** A durable position changed. */
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
  /** Puts a detached cursor at `sequence`, not below its position, and has it hold back what comes after. */
  reattach(sequence: number): Promise<void>;
}

/** A cursor of an open journal. */
export class OpenCursor implements JournalCursor {
  private slot: CursorSlot;
  private target: number;
  private waiters: Waiter[] = [];
  private running: Promise<void> | undefined;
  private dropped = false;
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
      this.running ??= this.run();
    });
  }

  /** Lets go of everything it holds back, durably; the journal then goes on without it. */
  async detach(): Promise<void> {
    await this.idle();
    if (this.dropped || this.slot.detached) return;
    await this.write({ ...this.slot, detached: true });
    this.home.moved();
  }

  async reattach(sequence: number): Promise<void> {
    this.refuse();
    const { last } = this.home;
    if (!Number.isSafeInteger(sequence) || sequence < this.position || sequence > last) {
      throw new InvalidArgumentError('sequence', sequence, `an integer from ${this.position} to ${last}`);
    }
    if (!this.slot.detached) return this.advance(sequence);
    await this.moveTo(sequence, await this.home.chainAt(sequence));
    this.home.moved();
  }

  /** Part of a reset: the one way back. */
  async moveTo(sequence: number, chain: bigint | undefined): Promise<void> {
    await this.idle();
    this.target = sequence;
    this.slot = { ...this.slot, sequence, chain, detached: false };
    await this.write(this.slot);
  }

  /** Part of a cut: a position beyond it goes back. */
  async moveBack(sequence: number, chain: bigint): Promise<void> {
    await this.idle();
    if (this.slot.sequence <= sequence) return;
    this.target = sequence;
    this.slot = { ...this.slot, sequence, chain };
    await this.write(this.slot);
  }

  /** A position that the journal no longer reaches, after a power cut with durability 'none'. */
  clamp(last: number): void {
    if (this.slot.sequence <= last) return;
    this.slot = { ...this.slot, sequence: last, chain: undefined };
    this.target = last;
  }

  async close(): Promise<void> {
    await this.idle();
    const file = await this.file.catch(() => undefined);
    await file?.close();
  }

  async drop(): Promise<void> {
    this.dropped = true;
    await this.close();
    await this.home.disk.remove(this.path);
    await this.home.disk.syncDirectory(dirname(this.path));
  }

  private refuse(): void {
    const refusal = this.home.refusal;
    if (refusal !== undefined) throw refusal;
    if (this.dropped) throw new InvalidArgumentError('cursor', this.name, 'a cursor that was not dropped');
  }

  private async idle(): Promise<void> {
    while (this.running !== undefined) await this.running;
  }

  private async run(): Promise<void> {
    try {
      while (this.target > this.slot.sequence) {
        const sequence = this.target;
        const chain = await this.home.chainAt(sequence);
        await this.write({ ...this.slot, sequence, chain });
        this.movedAt = performance.now();
        this.home.moved();
        const waiters = this.waiters;
        this.waiters = waiters.filter((waiter) => waiter.sequence > sequence);
        for (const waiter of waiters) if (waiter.sequence <= sequence) waiter.resolve();
      }
    } catch (error) {
      this.home.fail(error);
      const waiters = this.waiters;
      this.waiters = [];
      this.target = this.slot.sequence;
      for (const waiter of waiters) waiter.reject(this.home.refusal ?? (error as Error));
    } finally {
      this.running = undefined;
    }
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
    const chain = await this.home.chainAt(at);
    this.slot = { counter: 0, sequence: at, chain, detached: false };
    const bytes = new Uint8Array(CURSOR_SLOT_STRIDE * 2);
    bytes.set(encodeSlot(this.slot), slotOffset(0));
    await disk.placeFile(`${this.path}.tmp`, this.path, bytes);
    await disk.syncDirectory(dirname(this.path));
    return disk.open(this.path, 'r+');
  }
}
