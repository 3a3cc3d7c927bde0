import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine } from '../src/index.js';
import { npm, run, type Said } from './npm.js';

/** An empty folder of somebody who uses the package, with Node on the path and nothing else. */
export class Consumer {
  readonly dir: string;
  readonly #bin: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor() {
    const place = mkdtempSync(join(tmpdir(), 'longhaul-consumer-'));
    [this.dir, this.#bin] = [join(place, 'project'), join(place, 'bin')];
    for (const dir of [this.dir, this.#bin]) mkdirSync(dir);
    symlinkSync(process.execPath, join(this.#bin, 'node'));
    // Settings of the checkout come with what npm and the caller have put into the environment.
    const kept = Object.entries(process.env).filter(([name]) => !/^(npm_|LONGHAUL_|NODE_OPTIONS$)/i.test(name));
    this.#env = { ...Object.fromEntries(kept), PATH: this.#bin };
    writeFileSync(join(this.dir, 'package.json'), '{ "private": true }\n');
  }

  /** Where packages of our scope come from; all others come from where npm usually has them. */
  useRegistry(url: string): void {
    writeFileSync(join(this.dir, '.npmrc'), `@longhaul:registry=${url}\naudit=false\nfund=false\n`);
  }

  npm(...args: string[]): Promise<Said> {
    return npm(args, { cwd: this.dir, env: this.#env });
  }

  node(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Said> {
    return run(process.execPath, args, { cwd: this.dir, env: { ...this.#env, ...env } });
  }

  /** Runs a program as the folder's own. */
  program(code: string, env: NodeJS.ProcessEnv = {}): Promise<Said> {
    writeFileSync(join(this.dir, 'main.mjs'), code);
    return this.node(['main.mjs'], env);
  }

  async engine(): Promise<Engine> {
    const { stdout } = await this.program("import { engine } from 'longhaul';\nconsole.log(JSON.stringify(engine));\n");
    return JSON.parse(stdout) as Engine;
  }

  /** The first program of the README that was installed. */
  example(): Promise<Said> {
    const readme = readFileSync(join(this.dir, 'node_modules', 'longhaul', 'README.md'), 'utf8');
    const code = /^```js\n(.*?)^```$/ms.exec(readme)?.[1];
    if (code === undefined) throw new Error('the README has no program');
    return this.program(code);
  }

  /** Whether a command is on the path. */
  finds(command: string): boolean {
    return spawnSync(command, ['--version'], { env: this.#env }).error === undefined;
  }

  /** The packages of our scope that are installed. */
  natives(): string[] {
    const scope = join(this.dir, 'node_modules', '@longhaul');
    return existsSync(scope) ? readdirSync(scope) : [];
  }

  remove(): void {
    rmSync(join(this.dir, '..'), { recursive: true, force: true });
  }
}
