/**
 * One direction of an emulated link: what is sent leaves at `rateBytesPerSecond`, one item after the other, and arrives
 * `delayMs` later, in order. Times are computed from the end of the item before, never from when a timer happened to
 * fire, so that late timers make the flow coarser (about 1 ms) but not slower.
 */
export class Pipe {
  readonly #millisecondsPerByte: number;
  readonly #delayMs: number;
  readonly #queueMs: number;
  readonly #onRoom: () => void;
  readonly #underWay: { dueMs: number; deliver: () => void }[] = [];
  /** When the last byte sent so far has left; ahead of now by what still waits. */
  #busyUntilMs = 0;
  #heldAtMs: number | undefined;
  #deliveryTimer: NodeJS.Timeout | undefined;
  #roomTimer: NodeJS.Timeout | undefined;

  /** `queueBytesMax` bounds what waits to leave, not what is under way; `onRoom` is called once half of it is free. */
  constructor(o: { rateBytesPerSecond: number; delayMs: number; queueBytesMax: number; onRoom: () => void }) {
    this.#millisecondsPerByte = 1000 / o.rateBytesPerSecond;
    this.#delayMs = o.delayMs;
    this.#queueMs = o.queueBytesMax * this.#millisecondsPerByte;
    this.#onRoom = o.onRoom;
  }

  /** True when the sender should stop until `onRoom`; what it sends all the same is still carried. */
  get full(): boolean {
    return this.#heldAtMs !== undefined || this.#roomTimer !== undefined;
  }

  send(bytes: number, deliver: () => void): void {
    const nowMs = this.#nowMs();
    this.#busyUntilMs = Math.max(this.#busyUntilMs, nowMs) + bytes * this.#millisecondsPerByte;
    this.#underWay.push({ dueMs: this.#busyUntilMs + this.#delayMs, deliver });
    this.#schedule();
  }

  /** Stops time for this pipe: nothing arrives and nothing is lost. */
  hold(): void {
    if (this.#heldAtMs !== undefined) return;
    this.#heldAtMs = performance.now();
    this.#stopTimers();
  }

  release(): void {
    if (this.#heldAtMs === undefined) return;
    const heldMs = performance.now() - this.#heldAtMs;
    this.#heldAtMs = undefined;
    this.#busyUntilMs += heldMs;
    for (const item of this.#underWay) item.dueMs += heldMs;
    this.#schedule();
    if (!this.full) this.#onRoom();
  }

  /** Loses everything that waits or is under way. */
  clear(): void {
    this.#stopTimers();
    this.#underWay.length = 0;
    this.#busyUntilMs = 0;
  }

  #nowMs(): number {
    return this.#heldAtMs ?? performance.now();
  }

  #schedule(): void {
    if (this.#heldAtMs !== undefined) return;
    const nowMs = performance.now();
    const next = this.#underWay[0];
    if (next !== undefined) this.#deliveryTimer ??= setTimeout(() => this.#deliver(), Math.ceil(next.dueMs - nowMs));
    const waitingMs = this.#busyUntilMs - nowMs;
    if (waitingMs >= this.#queueMs) {
      this.#roomTimer ??= setTimeout(() => this.#makeRoom(), Math.ceil(waitingMs - this.#queueMs / 2));
    }
  }

  #deliver(): void {
    this.#deliveryTimer = undefined;
    const nowMs = performance.now();
    for (let next = this.#underWay[0]; next !== undefined && next.dueMs <= nowMs; next = this.#underWay[0]) {
      this.#underWay.shift();
      next.deliver();
    }
    this.#schedule();
  }

  #makeRoom(): void {
    this.#roomTimer = undefined;
    this.#onRoom();
  }

  #stopTimers(): void {
    clearTimeout(this.#deliveryTimer);
    clearTimeout(this.#roomTimer);
    this.#deliveryTimer = undefined;
    this.#roomTimer = undefined;
  }
}
