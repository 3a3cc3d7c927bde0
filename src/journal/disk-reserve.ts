import type { JournalState } from './state.js';

/** How often a disk that is short of space is looked at again while somebody waits for it. */
const RETRY_MS = 1000;
/** Others write to the disk too: after this much of our own it is looked at again. */
const MEASURE_BYTES = 16 * 1024 * 1024;

/** Keeps part of the disk for others: says when the next segment would take of it. */
export class DiskReserve {
  freeBytes = Number.POSITIVE_INFINITY;
  private measuring: Promise<void> | undefined;
  private measuredAt = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly state: JournalState,
    /** What stays free; 0 turns the whole matter off. */
    readonly bytes: number,
    private readonly segmentBytes: number,
    /** Called when space has come back. */
    private readonly eased: () => void,
  ) {}

  get low(): boolean {
    if (this.bytes === 0) return false;
    const next = this.state.spares.bytes > 0 ? 0 : this.segmentBytes;
    const low = this.freeBytes - next < this.bytes;
    if (low) this.timer ??= setTimeout(() => this.again(), RETRY_MS);
    return low;
  }

  /** So much has been written in all; looks at the disk now and then. */
  written(address: number): void {
    if (address - this.measuredAt >= MEASURE_BYTES || address < this.measuredAt) this.measure();
  }

  /** Looks at the disk, in the background. */
  measure(): void {
    if (this.bytes === 0) return;
    this.measuredAt = this.state.segments.active.endAddress;
    this.measuring ??= this.run();
  }

  async idle(): Promise<void> {
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
