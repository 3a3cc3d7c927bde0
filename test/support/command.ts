import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { atEnd } from './temp.js';

/** The compiled command as a child process; `npm test` builds it before. */

const COMMAND = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  /** The last line of standard output as JSON; undefined when it is none. */
  json: Record<string, unknown> | undefined;
}

export class Running {
  readonly ended: Promise<Ended>;
  readonly #process: ChildProcess;
  #stderr = '';
  #onText = (): void => {};

  constructor(args: string[]) {
    const child = spawn(process.execPath, [COMMAND, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#onText();
    });
    this.ended = new Promise((resolve) => {
      child.once('close', (code) => resolve({ code, stdout, stderr: this.#stderr, json: lastJson(stdout) }));
    });
    atEnd(() => {
      child.kill('SIGKILL');
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Resolves with the match as soon as standard error has one; rejects when the process ends without. */
  said(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      this.#onText = () => {
        const match = pattern.exec(this.#stderr);
        if (match !== null) resolve(match);
      };
      this.#onText();
      void this.ended.then(({ code, stderr }) => reject(new Error(`ended with ${code} without ${pattern}: ${stderr}`)));
    });
  }
}

export const run = (...args: string[]): Promise<Ended> => new Running(args).ended;

/** A receiver on a free port. */
export async function receiver(...args: string[]): Promise<{ process: Running; address: string }> {
  const process = new Running(['receive', '--listen', '127.0.0.1:0', ...args]);
  const [, address = ''] = await process.said(/listening on (\S+)/);
  return { process, address };
}

function lastJson(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
