/**
 * Whether an end may meet its peer yet. One that was opened alone is complete as it is, or is about to get its volume or
 * replica, and a peer must not meet it in between: it waits a moment for someone to announce the other half, and then
 * for that half itself.
 */

const ANNOUNCE_MS = 250;

export class Readiness {
  readonly ready: Promise<void>;
  #settle!: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(isReady: boolean) {
    this.ready = new Promise((resolve) => {
      this.#settle = resolve;
    });
    if (isReady) this.#settle();
    else this.#timer = setTimeout(() => this.#settle(), ANNOUNCE_MS);
  }

  /** The other half is being opened: from now on only `done` ends the wait. */
  announce(): void {
    clearTimeout(this.#timer);
  }

  done(): void {
    clearTimeout(this.#timer);
    this.#settle();
  }
}
