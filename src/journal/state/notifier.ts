import { onAbort } from '../../engine/abort.js';

/** Wakes whoever waits for the journal to change. */
export class Notifier {
  private readonly waiting = new Set<() => void>();

  /** Resolves at the next change, or when the signal fires. */
  wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const wake = () => {
        this.waiting.delete(wake);
        end?.();
        resolve();
      };
      const end = signal === undefined ? undefined : onAbort(signal, wake);
      this.waiting.add(wake);
    });
  }

  notify(): void {
    for (const wake of [...this.waiting]) wake();
  }
}
