import type { Program, ProgramOptions } from '../kit/program.js';
import type { Workspace } from '../kit/workspace.js';
import type { End, Link } from './link.js';

/** No link at all: both ends on this machine, one beside the other. */
export class LoopbackLink implements Link {
  readonly describe = 'loopback';
  readonly farHost = '127.0.0.1';
  readonly #work: Workspace;

  constructor(work: Workspace) {
    this.#work = work;
  }

  run(_end: End, name: string, command: string, args: readonly string[], options?: ProgramOptions): Program {
    return this.#work.run(name, command, args, options);
  }

  async reach(port: number): Promise<{ host: string; port: number }> {
    return { host: this.farHost, port };
  }

  async report(): Promise<undefined> {
    return undefined;
  }

  async close(): Promise<void> {}
}
