import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Priority, ReceiverOptions } from '../../src/index.js';
import { makeIdentities } from '../kit/identities.js';
import type { Latencies } from '../kit/latencies.js';
import type { Program } from '../kit/program.js';
import type { Workspace } from '../kit/workspace.js';
import type { Link } from './link.js';
import type { Mark } from './meter.js';
import type { ProbeOptions } from './probe.js';
import { runScript } from './script.js';
import type { SenderMark, SenderSetup } from './sender-main.js';

/** A `Sender` at the near end of a link and a `Receiver` at the far one, each a process of its own. */

export interface OwnOptions {
  windowBytes: number;
  /** Ceiling of the sender. */
  rateBytesPerSecond?: number;
  /** With an identity at both ends (default true); on loopback alone it can do without. */
  secured?: boolean;
  /** Default `normal`. */
  priority?: Priority;
}

/** What both ends told at one moment. */
export interface Marks {
  sender: SenderMark;
  receiver: Mark;
}

const MARK = /^mark (.*)$/;

export class OwnEnds {
  readonly #dirs: readonly string[];
  readonly #sender: Program;
  readonly #receiver: Program;

  /** Resolves when the first record has been logged at the far end. */
  static async open(work: Workspace, link: Link, o: OwnOptions): Promise<OwnEnds> {
    const { windowBytes, rateBytesPerSecond, secured = true, priority = 'normal' } = o;
    const dirs = { near: work.at('sender'), far: work.at('receiver') };
    const identities = secured ? await makeIdentities(work) : undefined;
    const listen = { host: link.farHost, port: 0 };
    const receiving: ReceiverOptions = { dir: dirs.far, listen, ...identities?.far };
    const receiver = runScript(link, 'far', 'bench/wan/receiver-main', JSON.stringify(receiving));
    const [, port = ''] = await receiver.line(/^listening on (\d+)$/);
    const peer = { name: 'far', ...(await link.reach(Number(port))) };
    const own = { dir: dirs.near, peers: [peer], ...identities?.near, compress: 'none' as const, priority };
    const rate = rateBytesPerSecond === undefined ? {} : { rate: rateBytesPerSecond };
    const setup: SenderSetup = { sender: { ...own, ...rate }, windowBytes };
    const sender = runScript(link, 'near', 'bench/wan/sender-main', JSON.stringify(setup));
    await sender.line(/^ready$/);
    const used = [dirs.near, dirs.far, identities?.near.identity, identities?.far.identity];
    return new OwnEnds(
      sender,
      receiver,
      used.filter((dir) => dir !== undefined),
    );
  }

  private constructor(sender: Program, receiver: Program, dirs: readonly string[]) {
    this.#sender = sender;
    this.#receiver = receiver;
    this.#dirs = dirs;
  }

  /** Fills the link from now on. */
  fill(): void {
    this.#sender.write('fill');
  }

  async probe(options: ProbeOptions): Promise<Latencies> {
    const told = this.#sender.line(/^probed (.*)$/);
    this.#sender.write(`probe ${JSON.stringify(options)}`);
    return JSON.parse((await told)[1] ?? '') as Latencies;
  }

  async mark(): Promise<Marks> {
    const told = [this.#sender.line(MARK), this.#receiver.line(MARK)];
    for (const end of [this.#sender, this.#receiver]) end.write('mark');
    const [sender, receiver] = (await Promise.all(told)).map(([, json = '']) => JSON.parse(json));
    return { sender, receiver } as Marks;
  }

  /** What happened in the next seconds: both marks. */
  async during(seconds: number): Promise<[Marks, Marks]> {
    const before = await this.mark();
    await pause(seconds * 1000);
    return [before, await this.mark()];
  }

  /** Once everything has been logged. Nothing of either end is left. */
  async close(): Promise<void> {
    await this.#sender.stop();
    await this.#receiver.stop();
    for (const dir of this.#dirs) await rm(dir, { recursive: true });
  }
}
