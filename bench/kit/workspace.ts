import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program, type ProgramOptions } from './program.js';

/** A temporary directory, the programs that work in it and whatever else was opened: all of it goes at `close`. */
export class Workspace {
  readonly dir: string;
  readonly #programs = new Set<Program>();
  readonly #opened: { close(): Promise<void> }[] = [];
  #halted = false;
  #closing: Promise<void> | undefined;

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async open(name: string, parent = tmpdir()): Promise<Workspace> {
    return new Workspace(await mkdtemp(join(parent, `longhaul-${name}-`)));
  }

  at(...names: string[]): string {
    return join(this.dir, ...names);
  }

  run(name: string, command: string, args: readonly string[], options?: ProgramOptions): Program {
    if (this.#halted) throw new Error(`${name} is not started: the workspace is closed`);
    const program = new Program(name, command, args, options);
    this.#programs.add(program);
    program.ended.finally(() => this.#programs.delete(program)).catch(() => {});
    return program;
  }

  /** Closes `opened` with the workspace, the last one first. */
  own<T extends { close(): Promise<void> }>(opened: T): T {
    this.#opened.push(opened);
    return opened;
  }

  /** Ends every program, and starts no other; what waits for one of them is told. */
  async halt(): Promise<void> {
    this.#halted = true;
    await Promise.all([...this.#programs].map((program) => program.stop()));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.halt();
    for (const opened of this.#opened.splice(0).reverse()) await opened.close();
    await rm(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}
