import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { StageCounts } from '../../src/index.js';
import { BUILT } from '../kit/built.js';
import type { CopyRun } from '../kit/copiers.js';
import type { Program } from '../kit/program.js';
import type { Usage } from '../kit/usage.js';
import type { Workspace } from '../kit/workspace.js';
import { digestOf } from './record-digest.js';

/** A `Sender` and a `Receiver`, each a process of its own, and the records of files that go from one to the other. */

interface Counted {
  payloadBytesSent: number;
  wireBytesSent: number;
  wireBytesReceived: number;
  stages: StageCounts;
  usage: Usage;
}

export interface RecordRun extends CopyRun {
  payloadBytes: number;
}

const NOTHING: Counted = {
  payloadBytesSent: 0,
  wireBytesSent: 0,
  wireBytesReceived: 0,
  stages: {},
  usage: { cpuSeconds: 0 },
};

export class RecordCopier {
  readonly #work: Workspace;
  #ends: { sender: Program; receiver: Program } | undefined;
  /** What the sender has told last, and what it has sent since it was started. */
  #counted = NOTHING;
  #files: string[] = [];

  constructor(work: Workspace) {
    this.#work = work;
  }

  /** Both ends anew, without their state. */
  async reset(): Promise<void> {
    await this.finish();
    for (const end of ['send', 'receive']) await rm(this.#work.at(end), { recursive: true, force: true });
    await this.#start();
  }

  /** Both ends anew, with what they have stored. */
  async restart(): Promise<void> {
    await this.finish();
    await this.#start();
  }

  /** Sends the records of a file; resolves when all of them have been applied. */
  async run(file: string): Promise<RecordRun> {
    if (this.#ends === undefined) throw new Error('nothing has been started');
    const begun = performance.now();
    const told = this.#ends.sender.line(/^sent (.*)$/);
    this.#ends.sender.write(file);
    const [, json = ''] = await told;
    const seconds = (performance.now() - begun) / 1000;
    const [before, now] = [this.#counted, JSON.parse(json) as Counted];
    this.#counted = now;
    this.#files.push(file);
    return {
      seconds,
      payloadBytes: now.payloadBytesSent - before.payloadBytesSent,
      wireBytes: now.wireBytesSent + now.wireBytesReceived - before.wireBytesSent - before.wireBytesReceived,
      stages: stagesSince(before.stages, now.stages),
      usage: { ...now.usage, cpuSeconds: now.usage.cpuSeconds - before.usage.cpuSeconds },
    };
  }

  /** Ends both, and sees that what was applied is what was sent. */
  async finish(): Promise<void> {
    if (this.#ends === undefined) return;
    const { sender, receiver } = this.#ends;
    await sender.stop();
    const told = receiver.line(/^applied (.*)$/);
    await Promise.all([told, receiver.stop()]);
    const [, applied] = await told;
    if (applied !== (await digestOf(this.#files))) throw new Error('what was applied is not what was sent');
    this.#ends = undefined;
  }

  async #start(): Promise<void> {
    const receiver = this.#process('record-receiver', [this.#work.at('receive')]);
    const [, port = ''] = await receiver.line(/^listening on \S+:(\d+)$/);
    const sender = this.#process('record-sender', [this.#work.at('send'), port], true);
    await sender.line(/^ready$/);
    this.#ends = { sender, receiver };
    this.#counted = NOTHING;
    this.#files = [];
  }

  #process(name: string, args: readonly string[], input = false): Program {
    const script = join(BUILT, 'bench', 'reduction', `${name}.js`);
    return this.#work.run(name, process.execPath, [script, ...args], { input });
  }
}

function stagesSince(before: StageCounts, now: StageCounts): StageCounts {
  const since = Object.entries(now).map(([name, { bytesIn, bytesOut, milliseconds }]) => {
    const was = before[name] ?? { bytesIn: 0, bytesOut: 0, milliseconds: 0 };
    const rest = {
      bytesIn: bytesIn - was.bytesIn,
      bytesOut: bytesOut - was.bytesOut,
      milliseconds: milliseconds - was.milliseconds,
    };
    return [name, rest] as const;
  });
  return Object.fromEntries(since);
}
