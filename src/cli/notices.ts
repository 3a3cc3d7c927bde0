import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Events } from '../index.js';
import type { Progress } from './progress.js';

/** Lines on standard error for what a person should know while a command runs. */

const SKIPPED_LINES_MAX = 100;

export class Notices {
  skipped = 0;
  readonly #progress: Progress;
  readonly #subscriptions: [string, (message: unknown) => void][] = [];

  constructor(progress: Progress) {
    this.#progress = progress;
  }

  on<K extends keyof Events>(name: K, listener: (event: Events[K]) => void): void {
    const onMessage = (message: unknown): void => listener(message as Events[K]);
    subscribe(`longhaul:${name}`, onMessage);
    this.#subscriptions.push([`longhaul:${name}`, onMessage]);
  }

  /** What both commands tell. */
  watch(): void {
    this.on('skipped', ({ path, reason }) => this.#skip(`skipped ${path}: ${reason}`));
    this.on('unstable', ({ path, attempt }) =>
      this.#progress.line(`${path} changed while it was read; reading it again (${attempt})`),
    );
    this.on('apply', ({ sequence, problem, retryMs }) => {
      this.#progress.line(`record ${sequence} cannot be applied: ${problem.message}; next try in ${retryMs} ms`);
    });
  }

  close(): void {
    for (const [name, listener] of this.#subscriptions) unsubscribe(name, listener);
  }

  #skip(line: string): void {
    this.skipped++;
    if (this.skipped <= SKIPPED_LINES_MAX) this.#progress.line(line);
    if (this.skipped === SKIPPED_LINES_MAX) this.#progress.line('further skipped entries are only counted');
  }
}
