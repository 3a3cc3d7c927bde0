import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { addToCorpus } from './corpus.js';
import { NativeBuild } from './native-build.js';
import { fuzzNative, type NativeLimits, type NativeResult, replayNative } from './native-run.js';
import type { NativeTarget } from './native-target.js';
import { findClang, findGcc, type Missing, type Toolchain } from './toolchain.js';

/** What `npm run fuzz` does with native targets, each in a directory of its own within `workDir`. */
export class NativeCommand {
  readonly #workDir: string;
  #found: { toolchain: Toolchain; build: NativeBuild } | Missing | undefined;

  constructor(workDir: string) {
    this.#workDir = resolve(workDir);
  }

  /** False when it found something. */
  async fuzz(target: NativeTarget, limits: NativeLimits): Promise<boolean> {
    return this.#with(target, async (program, dir) => {
      const result = await fuzzNative(program, target, dir, limits);
      const coverage = result.coverage === undefined ? '' : `, ${result.coverage} places reached`;
      return this.#report(target, result, `${result.runs} runs from seed ${limits.seed}${coverage}`);
    });
  }

  async replay(target: NativeTarget, input: string): Promise<boolean> {
    const path = resolve(input);
    if (!existsSync(path)) throw new Error(`there is no ${path}`);
    return this.#with(target, async (program, dir) =>
      this.#report(target, { ...(await replayNative(program, target, dir, path)), input: path }, path),
    );
  }

  /** Takes over into the repository what earlier runs found, as far as it is small. */
  async minimise(target: NativeTarget): Promise<boolean> {
    return this.#with(target, async (program, dir, { guided }) => {
      if (!guided) throw new Error('only libFuzzer can tell which inputs reach something new');
      console.log(`${target.name}: ${await addToCorpus(program, target, dir)}`);
      return true;
    });
  }

  async #with(
    target: NativeTarget,
    work: (program: string, dir: string, toolchain: Toolchain) => Promise<boolean>,
  ): Promise<boolean> {
    this.#found ??= this.#find();
    if ('missing' in this.#found) {
      console.log(`${target.name}: skipped, ${this.#found.missing}`);
      return true;
    }
    const { build, toolchain } = this.#found;
    return work(await build.program(target), join(this.#workDir, target.name), toolchain);
  }

  #find(): { toolchain: Toolchain; build: NativeBuild } | Missing {
    const clang = findClang();
    if (!('missing' in clang)) return { toolchain: clang, build: new NativeBuild(clang) };
    const gcc = findGcc();
    if ('missing' in gcc) return { missing: `${clang.missing}, and ${gcc.missing}` };
    console.log(`${clang.missing}: native targets get noise from ${gcc.cxx}, which nothing steers`);
    return { toolchain: gcc, build: new NativeBuild(gcc) };
  }

  #report(target: NativeTarget, result: NativeResult, what: string): boolean {
    if (result.ok) {
      console.log(`${target.name}: ${what}, no failure`);
      return true;
    }
    console.error(result.said);
    const replay =
      result.input === undefined ? '' : `; replay with: npm run fuzz ${target.name} -- --input ${result.input}`;
    console.error(`${target.name}: failed${replay}`);
    return false;
  }
}
