import { join } from 'node:path';
import { BUILT } from '../kit/built.js';
import type { Program } from '../kit/program.js';
import type { End, Link } from './link.js';
import type { PlainMark } from './plain-far-main.js';

/** One TCP connection that sends as much as goes over a link, with the system's own congestion control at either end. */
export class PlainFlow {
  readonly #near: Program;
  readonly #far: Program;

  static async start(link: Link): Promise<PlainFlow> {
    const far = run(link, 'far', 'plain-far-main', [link.farHost]);
    const [, listening = ''] = await far.line(/^listening on (\d+)$/);
    const { host, port } = await link.reach(Number(listening));
    return new PlainFlow(run(link, 'near', 'plain-near-main', [host, `${port}`]), far);
  }

  private constructor(near: Program, far: Program) {
    this.#near = near;
    this.#far = far;
  }

  /** What has arrived until now. */
  async mark(): Promise<PlainMark> {
    const told = this.#far.line(/^mark (.*)$/);
    this.#far.write('mark');
    const [, json = ''] = await told;
    return JSON.parse(json) as PlainMark;
  }

  async stop(): Promise<void> {
    await this.#near.stop();
    await this.#far.stop();
  }
}

function run(link: Link, end: End, name: string, args: readonly string[]): Program {
  const script = join(BUILT, 'bench', 'wan', `${name}.js`);
  return link.run(end, name, process.execPath, [script, ...args], { input: true });
}
