/** Wakes whoever waits for the journal to change. */
export class Notifier {
  private waiting: (() => void)[] = [];

  /** Resolves at the next change, or when the signal fires. */
  wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const wake = () => {
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      signal?.addEventListener('abort', wake);
      this.waiting.push(wake);
    });
  }

  notify(): void {
    if (this.waiting.length === 0) return;
    const woken = this.waiting;
    this.waiting = [];
    for (const wake of woken) wake();
  }
}
