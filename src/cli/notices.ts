import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Events } from '../index.js';
import type { Progress } from './progress.js';

/** Lines on standard error for what a person should know while a command runs. */

const SKIPPED_LINES_MAX = 100;
/** What is tried again and again is told again after this time. */
const REPEAT_MS = 60_000;

export class Notices {
  skipped = 0;
  readonly #progress: Progress;
  #last = { line: '', atMs: 0 };
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
    this.on('refused', ({ address, problem, quiet }) => {
      const more = quiet === 0 ? '' : ` (${quiet} more since the last such line)`;
      this.#progress.line(`refused a connection from ${address}: ${problem.message}${codeIn(problem)}${more}`);
    });
    this.on('apply', ({ sequence, problem, retryMs }) => {
      this.#progress.line(`record ${sequence} cannot be applied: ${problem.message}; next try in ${retryMs} ms`);
    });
  }

  /** A line that would be the same as the last one of its kind appears once a minute. */
  repeated(line: string): void {
    const now = performance.now();
    if (line === this.#last.line && now - this.#last.atMs < REPEAT_MS) return;
    this.#last = { line, atMs: now };
    this.#progress.line(line);
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

/** The code of an error as it stands behind a message. */
export function codeIn(problem: Error): string {
  const { code } = problem as { code?: unknown };
  return typeof code === 'string' ? ` [${code}]` : '';
}
