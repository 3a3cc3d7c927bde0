import type { JournalState } from '../state/state.js';
import type { GroupWriter } from '../write/writer.js';

/** How often a disk that is short of space is looked at again while somebody waits for it. */
const RETRY_MS = 1000;
/** Others write to the disk too: after this much of our own it is looked at again. */
const MEASURE_BYTES = 16 * 1024 * 1024;

/** Keeps part of the disk for others: says when the next segment would take of it. */
export class DiskReserve {
  freeBytes = Number.POSITIVE_INFINITY;
  private measuring: Promise<void> | undefined;
  private measuredAt = { address: 0, first: 0 };
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly state: JournalState,
    private readonly writer: GroupWriter,
    private readonly limits: { diskReserveBytes: number; segmentBytes: number },
    /** Called when space has come back. */
    private readonly eased: () => void,
  ) {}

  /** What stays free; 0 turns the whole matter off. */
  get bytes(): number {
    return this.limits.diskReserveBytes;
  }

  get low(): boolean {
    if (this.bytes === 0) return false;
    const segment = this.state.spares.bytes > 0 ? 0 : this.limits.segmentBytes;
    const next = Math.max(segment, this.writer.pendingBytes);
    const low = this.freeBytes - next < this.bytes;
    if (low) this.timer ??= setTimeout(() => this.again(), RETRY_MS);
    return low;
  }

  /** More has been written: looks at the disk now and then, and whenever a segment has begun. */
  written(): void {
    const { endAddress, first } = this.state.segments.active;
    const { address, first: before } = this.measuredAt;
    if (first !== before || endAddress - address >= MEASURE_BYTES || endAddress < address) this.measure();
  }

  /** Looks at the disk, in the background. */
  measure(): void {
    if (this.bytes === 0 || this.state.refusal !== undefined) return;
    const { endAddress, first } = this.state.segments.active;
    this.measuredAt = { address: endAddress, first };
    this.measuring ??= this.run();
  }

  /** Resolves when the disk has been looked at as it is after this call. */
  async remeasure(): Promise<void> {
    await this.measuring;
    this.measure();
    await this.measuring;
  }

  async close(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.measuring;
  }

  private again(): void {
    this.timer = undefined;
    if (this.state.refusal === undefined) this.measure();
  }

  private async run(): Promise<void> {
    try {
      this.freeBytes = await this.state.disk.freeBytes(this.state.dir);
    } catch (error) {
      this.state.fail(error);
    } finally {
      this.measuring = undefined;
    }
    if (this.state.refusal === undefined) this.eased();
  }
}
