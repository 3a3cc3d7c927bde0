import { execFile } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** npm as a child process; what it has to say comes back, and a failure is an error with all of it. */

const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const execute = promisify(execFile);

export interface CommandOptions {
  cwd: string;
  env?: NodeJS.ProcessEnv;
}

export interface Said {
  stdout: string;
  stderr: string;
}

export async function run(command: string, args: string[], options: CommandOptions): Promise<Said> {
  try {
    return await execute(command, args, { ...options, maxBuffer: OUTPUT_BYTES_MAX });
  } catch (error) {
    const { stdout = '', stderr = '', message } = error as Error & Partial<Said>;
    throw new Error(`${[command, ...args].join(' ')} failed: ${message}\n${stdout}${stderr}`, { cause: error });
  }
}

/** By the node that runs this, so that a path without npm will do. */
export function npm(args: string[], options: CommandOptions): Promise<Said> {
  return run(process.execPath, [npmProgram(), ...args], options);
}

export interface Packed {
  filename: string;
  files: { path: string }[];
}

/** What `npm pack` makes, or with `--dry-run` would make, of a directory. */
export async function npmPack(dir: string, ...options: string[]): Promise<Packed> {
  const { stdout } = await npm(['pack', dir, '--json', '--ignore-scripts', ...options], { cwd: dir });
  const [packed] = JSON.parse(stdout) as Packed[];
  if (packed === undefined) throw new Error(`npm pack made nothing of ${dir}`);
  return packed;
}

/** On the path `npm` is a link to a program in JavaScript. */
function npmProgram(): string {
  const places = (process.env.PATH ?? '').split(delimiter).map((dir) => join(dir, 'npm'));
  const found = places.find((path) => existsSync(path));
  if (found === undefined) throw new Error('there is no npm on the path');
  return realpathSync(found);
}
