import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { NativeTarget } from './native-target.js';
import { linkFlags, root, type Unit, unitsOf } from './native-units.js';
import type { Toolchain } from './toolchain.js';

/**
 * Compiles native targets into build/fuzz/. A file's name says what it was made from, so that what is there already is
 * used again, by other targets and other runs.
 */
export class NativeBuild {
  readonly #toolchain: Toolchain;
  readonly #dir: string;
  readonly #objects = new Map<string, Promise<string>>();
  readonly #waiting: (() => void)[] = [];
  #free = availableParallelism();

  constructor(toolchain: Toolchain) {
    this.#toolchain = toolchain;
    this.#dir = join(root, 'build', 'fuzz', toolchain.name);
    mkdirSync(this.#dir, { recursive: true });
  }

  /** The path of the target's program; rejects with what the compiler says. */
  async program(target: NativeTarget): Promise<string> {
    const units = unitsOf(this.#toolchain, target);
    const flags = linkFlags(this.#toolchain);
    const digest = createHash('sha256').update(JSON.stringify([flags, units.map(({ id }) => id)]));
    const id = `${target.name}.${digest.digest('hex').slice(0, 16)}`;
    if (existsSync(join(this.#dir, id))) return join(this.#dir, id);
    const objects = await Promise.all(units.map((unit) => this.#object(unit)));
    return this.#make(id, this.#toolchain.cxx, [...flags, ...objects]);
  }

  #object(unit: Unit): Promise<string> {
    const started = this.#objects.get(unit.id) ?? this.#make(`${unit.id}.o`, unit.compiler, unit.args);
    this.#objects.set(unit.id, started);
    return started;
  }

  async #make(name: string, compiler: string, args: string[]): Promise<string> {
    const path = join(this.#dir, name);
    if (existsSync(path)) return path;
    // Another process may be making the same.
    const unfinished = `${path}.${process.pid}`;
    await this.#enter();
    try {
      await run(compiler, [...args, '-o', unfinished]);
      this.#removeOlder(name);
      renameSync(unfinished, path);
    } finally {
      rmSync(unfinished, { force: true });
      this.#leave();
    }
    return path;
  }

  /** What was made from other content under the same name. */
  #removeOlder(name: string): void {
    const pattern = /[.][0-9a-f]{16}([.]o)?$/;
    const same = (other: string): boolean =>
      pattern.test(other) && other.replace(pattern, '') === name.replace(pattern, '');
    for (const other of readdirSync(this.#dir)) {
      if (other !== name && same(other)) rmSync(join(this.#dir, other), { force: true });
    }
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}

async function run(command: string, args: string[]): Promise<void> {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (data) => {
    said += data;
  });
  const [status] = await once(child, 'close');
  if (status !== 0 || said !== '') throw new Error(`${command} ${args.join(' ')}\n${said}`);
}
