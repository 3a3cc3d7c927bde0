import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { BUILT } from './built.js';
import type { Program, ProgramOptions } from './program.js';
import type { Workspace } from './workspace.js';

/** `longhaul receive` and `longhaul send` as processes of their own, as a user would run them. */

const COMMAND = join(BUILT, 'src', 'cli', 'main.js');
const LEAVE_USAGE = pathToFileURL(join(BUILT, 'bench', 'kit', 'leave-usage.js')).href;
const LISTENING = /^listening on (\S+):(\d+)$/;

export interface AgentOptions {
  state: string;
  /** More arguments. */
  args?: string[];
  /** A file for the process to leave in what it has used of the machine; see `usageIn`. */
  usage?: string;
  stderr?: ProgramOptions['stderr'];
}

export interface Receiving {
  program: Program;
  port: number;
}

/** Starts a receiver on a free port and waits until it listens. */
export async function startReceiver(work: Workspace, o: AgentOptions & { into: string }): Promise<Receiving> {
  const program = start(work, 'receive', ['--into', o.into, '--listen', '127.0.0.1:0'], o);
  const [, , port] = await program.line(LISTENING);
  return { program, port: Number(port) };
}

/** Starts `longhaul send --once`. */
export function startSender(work: Workspace, o: AgentOptions & { from: string; port: number }): Program {
  return start(work, 'send', ['--from', o.from, '--to', `127.0.0.1:${o.port}`, '--once'], o);
}

function start(
  work: Workspace,
  name: string,
  own: string[],
  { state, args = [], usage, stderr }: AgentOptions,
): Program {
  const hook = usage === undefined ? [] : ['--import', LEAVE_USAGE];
  return work.run(`longhaul ${name}`, process.execPath, [...hook, COMMAND, name, '--state', state, ...own, ...args], {
    ...(stderr === undefined ? {} : { stderr }),
    ...(usage === undefined ? {} : { env: { LONGHAUL_BENCH_USAGE: usage } }),
  });
}
