/** Ends a command on SIGINT or SIGTERM: what runs is told, closes what it has open, and the exit code says so. */

export class InterruptedError extends Error {
  constructor() {
    super('interrupted');
  }
}

export class Interrupt {
  readonly #controller = new AbortController();
  readonly #onSignal = (): void => this.#controller.abort(new InterruptedError());

  constructor() {
    process.on('SIGINT', this.#onSignal);
    process.on('SIGTERM', this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The work's result, or the interruption if that comes first; an error that the interruption caused counts as it. */
  async race<T>(work: Promise<T>): Promise<T> {
    const { signal } = this;
    const interrupted = new Promise<never>((_resolve, reject) => {
      if (signal.aborted) reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    try {
      return await Promise.race([work, interrupted]);
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    }
  }

  close(): void {
    process.off('SIGINT', this.#onSignal);
    process.off('SIGTERM', this.#onSignal);
  }
}
