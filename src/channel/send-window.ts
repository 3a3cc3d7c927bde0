/** How much may be under way and not confirmed, and what it learns from. */
export interface SendWindow {
  readonly bytes: number;
  /** A frame was confirmed so long after it went out; `underWay` are the bytes that were out with it until then. */
  note(bytes: number, delayMs: number, underWay: number): void;
  /** Something waits because the window is full. */
  full(): void;
}

/** Of numbers in ascending order; 0 of none. */
export function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.floor(sorted.length * part)] ?? 0;
}
