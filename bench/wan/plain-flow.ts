import type { Program } from '../kit/program.js';
import type { Link } from './link.js';
import type { PlainMark } from './plain-far-main.js';
import { runScript } from './script.js';

/** One TCP connection that sends as much as goes over a link, with the system's own congestion control at either end. */
export class PlainFlow {
  readonly #near: Program;
  readonly #far: Program;

  static async start(link: Link): Promise<PlainFlow> {
    const far = runScript(link, 'far', 'bench/wan/plain-far-main', link.farHost);
    const [, listening = ''] = await far.line(/^listening on (\d+)$/);
    const { host, port } = await link.reach(Number(listening));
    return new PlainFlow(runScript(link, 'near', 'bench/wan/plain-near-main', host, `${port}`), far);
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
