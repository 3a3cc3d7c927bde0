/**
 * Whether a receiver may greet a sender yet. One that was opened without `apply` is either a log alone or about to get
 * its replica, and a sender must not meet it in between: it waits a moment for someone to announce the replica, and
 * then for the replica itself.
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

  /** A replica is being opened: from now on only `done` ends the wait. */
  announce(): void {
    clearTimeout(this.#timer);
  }

  done(): void {
    clearTimeout(this.#timer);
    this.#settle();
  }
}
