import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A child process that is watched: what it says is kept for whoever asks why it ended, and it ends when told to. */

const LINES_KEPT = 20;
const OUTPUT_CHARACTERS_KEPT = 16 * 1024;
const PATIENCE_MS = 5000;

export interface ProgramOptions {
  /** `inherit` gives it our standard error, and with it the terminal. Default `pipe`. */
  stderr?: 'pipe' | 'inherit';
  /** A process group of its own, ended as a whole: for programs that start others. */
  group?: boolean;
  /** Added to our own environment. */
  env?: Record<string, string>;
  /** Where it works (default: where we do). */
  cwd?: string;
  /** The user and the group it runs as (default: ours). */
  user?: { uid: number; gid: number };
  /** Takes lines on its standard input, see `write`; otherwise it gets none. */
  input?: boolean;
}

export class ProgramError extends Error {}

export class Program {
  /** Settles when it has ended and everything it wrote was read; the exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  readonly pid: number;
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #group: boolean;
  #lines: string[] = [];
  #output = '';
  #awaited: { pattern: RegExp; found: (match: RegExpExecArray) => void }[] = [];

  constructor(
    name: string,
    command: string,
    args: readonly string[],
    { stderr = 'pipe', group = false, env = {}, cwd, user, input = false }: ProgramOptions = {},
  ) {
    this.#name = name;
    this.#group = group;
    this.#child = spawn(command, args, {
      stdio: [input ? 'pipe' : 'ignore', 'pipe', stderr],
      detached: group,
      env: { ...process.env, ...env },
      ...(cwd === undefined ? {} : { cwd }),
      ...user,
    });
    this.pid = this.#child.pid ?? 0;
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null) createInterface(stream).on('line', (line) => this.#line(line));
    }
    this.#child.stdout?.on('data', (data: Buffer) => {
      this.#output = `${this.#output}${data}`.slice(-OUTPUT_CHARACTERS_KEPT);
    });
    // Writing to one that has just ended is no failure of ours: `ended` tells what it was.
    this.#child.stdin?.on('error', () => {});
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => resolve(code ?? signal ?? 'SIGKILL'));
    });
    this.ended.catch(() => {});
  }

  /** The end of its standard output. */
  get output(): string {
    return this.#output;
  }

  /** The last line it wrote, on either stream. */
  get lastLine(): string {
    return this.#lines.at(-1) ?? '';
  }

  /** Resolves with the first line that fits; rejects when the program ends without one. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    const found = new Promise<RegExpExecArray>((resolve) => this.#awaited.push({ pattern, found: resolve }));
    const ended = this.ended.then((how) => {
      throw this.#failure(how);
    });
    return Promise.race([found, ended]);
  }

  /** Hands it a line. One that has ended takes none; whoever waits for its answer is told. */
  write(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Resolves when the program has ended as it should. */
  async succeeded(): Promise<void> {
    const how = await this.ended;
    if (how !== 0) throw this.#failure(how);
  }

  /** Asks it to end, and after a while sees to it. */
  async stop(): Promise<void> {
    this.#kill('SIGTERM');
    const timer = setTimeout(() => this.#kill('SIGKILL'), PATIENCE_MS);
    await this.ended.catch(() => {});
    clearTimeout(timer);
  }

  #kill(signal: NodeJS.Signals): void {
    if (!this.#group) {
      this.#child.kill(signal);
      return;
    }
    try {
      if (this.pid > 0) process.kill(-this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  #line(line: string): void {
    this.#lines = [...this.#lines.slice(1 - LINES_KEPT), line];
    this.#awaited = this.#awaited.filter(({ pattern, found }) => {
      const match = pattern.exec(line);
      if (match !== null) found(match);
      return match === null;
    });
  }

  #failure(how: number | NodeJS.Signals): ProgramError {
    const said = this.#lines.length > 0 ? `; it said:\n${this.#lines.map((line) => `  ${line}`).join('\n')}` : '';
    return new ProgramError(`${this.#name} ended with ${typeof how === 'number' ? `exit code ${how}` : how}${said}`);
  }
}
