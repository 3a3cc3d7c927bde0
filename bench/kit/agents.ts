import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Program, ProgramOptions } from './program.js';
import type { Workspace } from './workspace.js';

/** `longhaul receive` and `longhaul send` as processes of their own, as a user would run them. */

/** As built, also when this file itself runs without being compiled. */
const COMMAND = join(dirname(createRequire(import.meta.url).resolve('longhaul')), 'cli', 'main.js');
const LISTENING = /^listening on (\S+):(\d+)$/;

export interface Receiving {
  program: Program;
  port: number;
}

/** Starts a receiver on a free port and waits until it listens. */
export async function startReceiver(
  work: Workspace,
  state: string,
  into: string,
  args: string[] = [],
): Promise<Receiving> {
  const all = [COMMAND, 'receive', '--state', state, '--into', into, '--listen', '127.0.0.1:0', ...args];
  const program = work.run('longhaul receive', process.execPath, all);
  const [, , port] = await program.line(LISTENING);
  return { program, port: Number(port) };
}

/** Starts `longhaul send --once`. */
export function startSender(
  work: Workspace,
  o: { state: string; from: string; port: number; args?: string[] },
  options?: ProgramOptions,
): Program {
  const to = `127.0.0.1:${o.port}`;
  const all = [COMMAND, 'send', '--state', o.state, '--from', o.from, '--to', to, '--once', ...(o.args ?? [])];
  return work.run('longhaul send', process.execPath, all, options);
}
