import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';
import { main } from '../../src/cli/command.js';
import { atEnd } from './temp.js';

/** The compiled command as child processes. `npm test` builds before it tests. */

const COMMAND = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
const END_MS_MAX = 60_000;

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export class Cli {
  readonly child: ChildProcess;
  /** The process has ended, and everything that it said has been read. */
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  #lineWaiters: { pattern: RegExp; found: (match: RegExpExecArray) => void; gone: (error: Error) => void }[] = [];

  private constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#look();
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX);
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        clearTimeout(timer);
        for (const { pattern, gone } of this.#lineWaiters) {
          gone(new Error(`the command ended without ${pattern}:\n${this.stdout}${this.stderr}`));
        }
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
    atEnd(() => this.kill());
  }

  static start(args: string[], options: SpawnOptions = {}): Cli {
    if (!existsSync(COMMAND)) throw new Error(`${COMMAND} is missing: npm run build`);
    return new Cli(spawn(process.execPath, [COMMAND, ...args], { ...options, stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  static run(...args: string[]): Promise<Ended> {
    return Cli.start(args).ended;
  }

  /** The first match in what it has said, or will say, on standard error. */
  said(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((found, gone) => {
      this.#lineWaiters.push({ pattern, found, gone });
      this.#look();
    });
  }

  /** The port of a `receive` that was told to take any. */
  async port(): Promise<number> {
    return Number((await this.said(/listening on \S+:(\d+)\n/))[1]);
  }

  /** The object on the last line of standard output. */
  async summary(): Promise<Record<string, unknown> & { code: number | null }> {
    const { code, stdout, stderr } = await this.ended;
    const line = stdout.trimEnd().split('\n').at(-1) ?? '';
    try {
      return { ...(JSON.parse(line) as Record<string, unknown>), code };
    } catch (error) {
      throw new Error(`no object on the last line of:\n${stdout}${stderr}`, { cause: error });
    }
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<Ended> {
    this.child.kill(signal);
    return this.ended;
  }

  #look(): void {
    this.#lineWaiters = this.#lineWaiters.filter(({ pattern, found }) => {
      const match = pattern.exec(this.stderr);
      if (match !== null) found(match);
      return match === null;
    });
  }
}

/** What the command says and ends with, asked in this very process: for arguments that it refuses before it does anything. */
export async function ask(...args: string[]): Promise<Omit<Ended, 'signal'>> {
  const said = { stdout: '', stderr: '' };
  const ears = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      said[name] += String(text);
      return true;
    }),
  );
  try {
    return { code: await main(args), ...said };
  } finally {
    for (const ear of ears) ear.mockRestore();
  }
}

/** `receive` on a free port, and what `send` needs to know. */
export async function startReceive(
  state: string,
  into: string,
  ...more: string[]
): Promise<{ receive: Cli; to: string }> {
  const receive = Cli.start(['receive', '--state', state, '--into', into, '--listen', '127.0.0.1:0', ...more]);
  return { receive, to: `127.0.0.1:${await receive.port()}` };
}

export function startSend(state: string, from: string, to: string, ...more: string[]): Cli {
  return Cli.start(['send', '--state', state, '--from', from, '--to', to, ...more]);
}
