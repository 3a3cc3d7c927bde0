import { onAbort } from '../../engine/abort.js';
import { AbortedError } from '../../errors.js';

/** One call that put records into the journal, until its last record is durable. */
export class Operation {
  readonly durable: Promise<number>;
  private resolve!: (sequence: number) => void;
  private reject!: (error: Error) => void;
  private release: (() => void) | undefined;

  constructor(
    readonly first: number,
    readonly last: number,
    what: string,
    signal: AbortSignal | undefined,
  ) {
    this.durable = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    if (signal === undefined) return;
    this.release = onAbort(signal, () => this.fail(new AbortedError(what, last, signal.reason)));
  }

  succeed(): void {
    this.release?.();
    this.resolve(this.last);
  }

  fail(error: Error): void {
    this.release?.();
    this.reject(error);
  }
}
