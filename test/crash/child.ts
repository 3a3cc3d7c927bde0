import { type ChildProcess, spawn } from 'node:child_process';

/** A child process that is killed without warning and started again, its lines kept. */

const EXIT_MS_MAX = 120_000;

export class Child {
  readonly name: string;
  /** Complete lines of standard output, over all lives. */
  readonly lines: string[] = [];
  readonly #args: string[];
  #process: ChildProcess | undefined;
  #exit: Promise<number | null> = Promise.resolve(null);
  #errors = '';
  #onLine: () => void = () => {};

  constructor(name: string, args: string[]) {
    this.name = name;
    this.#args = args;
  }

  start(): void {
    const child = spawn(process.execPath, this.#args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      this.lines.push(...parts);
      if (parts.length > 0) this.#onLine();
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors = (this.#errors + text).slice(-4000);
    });
    this.#exit = new Promise((resolve) => child.once('close', (code) => resolve(code)));
    this.#process = child;
  }

  /** Resolves at its first line, or after so many milliseconds, or when it has ended without one. */
  async says(withinMs: number): Promise<void> {
    const spoken = new Promise<void>((resolve) => {
      if (this.lines.length > 0) resolve();
      else this.#onLine = resolve;
    });
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, withinMs);
    });
    await Promise.race([spoken, late, this.#exit]);
    clearTimeout(timer);
  }

  get isRunning(): boolean {
    return this.#process !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  get errors(): string {
    return this.#errors;
  }

  /** kill -9; resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#exit;
  }

  /** Holds it where it is while `look` looks at what it has done. */
  held<T>(look: () => T): T {
    if (!this.isRunning) return look();
    this.#process?.kill('SIGSTOP');
    try {
      return look();
    } finally {
      this.#process?.kill('SIGCONT');
    }
  }

  /** Asks it to end and gives its exit code. */
  async stop(): Promise<number | null> {
    this.#process?.kill('SIGTERM');
    return this.exited();
  }

  /** Waits for its own end; one that hangs is killed and reported. */
  async exited(): Promise<number | null> {
    const process = this.#process;
    const timer = setTimeout(() => process?.kill('SIGKILL'), EXIT_MS_MAX);
    try {
      return await this.#exit;
    } finally {
      clearTimeout(timer);
    }
  }
}
