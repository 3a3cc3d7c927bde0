import type { StageCounts } from '../index.js';

/** A line on standard error that is drawn over and over at a terminal; elsewhere only the lines in between appear. */

const REDRAW_MS = 200;
const BAR_WIDTH = 24;

export interface ProgressState {
  /** What is being done. */
  phase: string;
  /** 0 to 1, when it can be told. */
  fraction?: number;
  /** Bytes on the wire so far. */
  wireBytes: number;
  /** Bytes of source that they stand for. */
  sourceBytes: number;
  /** Bytes of queue that the peer still needs. */
  queueBytes: number;
  /** Source bytes still to go, when known. */
  bytesLeft?: number;
  /** What each stage made of the bytes, and the time it took. */
  stages?: StageCounts;
}

export class Progress {
  readonly #stream = process.stderr;
  readonly #state: () => ProgressState;
  readonly #begun = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(state: () => ProgressState, quiet: boolean) {
    this.#state = state;
    if (quiet || !this.#stream.isTTY) return;
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
    this.#timer.unref();
  }

  line(text: string): void {
    this.#erase();
    this.#stream.write(`${text}\n`);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#erase();
    this.#timer = undefined;
  }

  #erase(): void {
    if (this.#timer !== undefined) this.#stream.write('\r\x1b[2K');
  }

  #draw(): void {
    const width = this.#stream.columns ?? 80;
    this.#erase();
    this.#stream.write(progressLine(this.#state(), (performance.now() - this.#begun) / 1000).slice(0, width - 1));
  }
}

export function progressLine(state: ProgressState, seconds: number): string {
  const { phase, fraction, wireBytes, sourceBytes, queueBytes, bytesLeft, stages } = state;
  const parts = [phase];
  if (fraction !== undefined) parts.push(`${bar(fraction)} ${String(Math.floor(fraction * 100)).padStart(3)} %`);
  parts.push(`${bytes(wireBytes)} sent`, `${bytes(wireBytes / Math.max(seconds, 0.001))}/s`);
  if (sourceBytes > 0) parts.push(`saved ${savings(sourceBytes, wireBytes)}`);
  if (queueBytes > 0) parts.push(`queue ${bytes(queueBytes)}`);
  const pace = sourceBytes / Math.max(seconds, 0.001);
  if (bytesLeft !== undefined && pace > 0) parts.push(`${duration(bytesLeft / pace)} left`);
  if (stages !== undefined) parts.push(...stageParts(stages));
  return parts.join('  ');
}

/** What goes into the first stage, then by stage the time and what comes out; last, as a narrow terminal cuts it off. */
function stageParts(stages: StageCounts): string[] {
  const all = Object.entries(stages).filter(([, { bytesIn, bytesOut }]) => bytesIn + bytesOut > 0);
  return all.map(([name, { bytesIn, bytesOut, milliseconds }], index) => {
    const from = index === 0 && bytesIn > 0 ? `${bytes(bytesIn)} ` : '';
    const time = milliseconds > 0 ? ` ${(milliseconds / 1000).toFixed(1)} s` : '';
    return `${from}> ${name}${time} ${bytes(bytesOut)}`;
  });
}

function bar(fraction: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, fraction)) * BAR_WIDTH);
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}]`;
}

export function savings(sourceBytes: number, wireBytes: number): string {
  return `${(100 * Math.max(0, 1 - wireBytes / sourceBytes)).toFixed(1)} %`;
}

/** Decimal units, as networks and disks are sold. */
export function bytes(count: number): string {
  if (count < 1000) return `${Math.round(count)} B`;
  const units = ['kB', 'MB', 'GB', 'TB', 'PB'];
  let value = count / 1000;
  let unit = 0;
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
