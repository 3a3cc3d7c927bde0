import { dirname } from 'node:path';
import { InvalidArgumentError, type LonghaulError } from '../errors.js';
import { CURSOR_SLOT_STRIDE, type CursorSlot, encodeSlot, slotOffset } from './cursor-format.js';
import type { Disk, DiskFile } from './disk.js';

/** What a cursor needs of the journal around it. */
export interface CursorHome {
  disk: Disk;
  readonly last: number;
  readonly refusal: LonghaulError | undefined;
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
}

/** A cursor of an open journal. */
export class OpenCursor implements JournalCursor {
  private slot: CursorSlot;
  private target: number;
  private waiters: Waiter[] = [];
  private running: Promise<void> | undefined;
  private dropped = false;
  private readonly file: Promise<DiskFile>;

  constructor(
    readonly name: string,
    private readonly path: string,
    private readonly home: CursorHome,
    origin: { loaded: CursorSlot } | { at: number },
  ) {
    if ('loaded' in origin) {
      this.slot = origin.loaded;
      this.file = home.disk.open(path, 'r+');
    } else {
      this.slot = { counter: 0, sequence: origin.at, chain: undefined };
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

  async advance(sequence: number): Promise<void> {
    this.refuse();
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

  /** Part of a reset: the one way back. */
  async moveTo(sequence: number, chain: bigint): Promise<void> {
    await this.idle();
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
        await this.write({ counter: this.slot.counter, sequence, chain });
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
    this.slot = { counter: 0, sequence: at, chain };
    const bytes = new Uint8Array(CURSOR_SLOT_STRIDE * 2);
    bytes.set(encodeSlot(this.slot), slotOffset(0));
    await disk.placeFile(`${this.path}.tmp`, this.path, bytes);
    await disk.syncDirectory(dirname(this.path));
    return disk.open(this.path, 'r+');
  }
}
