import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import type { Program, ProgramOptions } from '../kit/program.js';
import type { Workspace } from '../kit/workspace.js';
import { compileLink } from './compile.js';
import type { End, Link, LinkConditions, LinkReport } from './link.js';

/** A link of TUN devices in two network namespaces, made by `link.cc`. Linux, as root. */

export interface TunLinkOptions {
  /** Default 0. */
  jitterMs?: number;
  /** Pairs of devices, all with the same conditions to begin with: 1 to 8, default 1. */
  paths?: number;
  /** What packets are lost by (default: another each time, see `seed`). */
  seed?: number;
  /** Default 1500. */
  mtuBytes?: number;
}

/** What can change while packets are under way. */
export type Setting = 'rate-mbit' | 'delay-ms' | 'jitter-ms' | 'loss-percent' | 'queue-bytes';

const TOOLS = ['setpriv', 'nsenter', 'ip'];
const READY = /^ready (.*)$/;
const ANSWER = /^(?:ok|error (.*))$/;
const REPORT = /^report (.*)$/;
const LAST = { near: 1, far: 2 };

export class TunLink implements Link {
  readonly describe: string;
  readonly seed: number;
  readonly #paths: number;
  readonly #work: Workspace;
  readonly #program: Program;
  readonly #namespaces: Record<End, string>;
  /** Answers come in the order of the commands, so each waits for the one before. */
  #turn: Promise<unknown> = Promise.resolve();

  /** Why there can be none on this machine; undefined where there can. */
  static missing(): string | undefined {
    if (process.platform !== 'linux') return 'it takes Linux';
    if (process.getuid?.() !== 0) return 'it takes root';
    try {
      accessSync('/dev/net/tun', constants.W_OK);
    } catch {
      return '/dev/net/tun is not there to write to';
    }
    const tool = TOOLS.find((name) => spawnSync(name, ['-V']).error !== undefined);
    if (tool !== undefined) return `${tool} is not installed`;
    const compiled = compileLink();
    return 'missing' in compiled ? compiled.missing : undefined;
  }

  static async start(work: Workspace, conditions: LinkConditions, options: TunLinkOptions = {}): Promise<TunLink> {
    const compiled = compileLink();
    if ('missing' in compiled) throw new Error(compiled.missing);
    const program = work.run('link', compiled.program, argumentsOf(conditions, options), { input: true });
    const [, json = ''] = await program.line(READY);
    return work.own(new TunLink(work, program, JSON.parse(json) as Ready, conditions, options.paths ?? 1));
  }

  private constructor(
    work: Workspace,
    program: Program,
    { seed, ...namespaces }: Ready,
    conditions: LinkConditions,
    paths: number,
  ) {
    this.#paths = paths;
    const { rateMbit, roundTripMs, lossPercent } = conditions;
    this.describe = `${rateMbit} Mbit/s, ${roundTripMs} ms there and back, ${lossPercent} % loss, TUN devices, seed ${seed}`;
    this.seed = seed;
    this.#work = work;
    this.#program = program;
    this.#namespaces = namespaces;
  }

  get farHost(): string {
    return this.address('far');
  }

  /** The emulator's own process. */
  get pid(): number {
    return this.#program.pid;
  }

  address(end: End, path = 0): string {
    return `10.77.${path}.${LAST[end]}`;
  }

  /** It ends with this process, whatever ends that. */
  run(end: End, name: string, command: string, args: readonly string[], options?: ProgramOptions): Program {
    const enter = ['--pdeathsig', 'KILL', 'nsenter', `--net=${this.#namespaces[end]}`, command];
    return this.#work.run(name, 'setpriv', [...enter, ...args], options);
  }

  async reach(port: number): Promise<{ host: string; port: number }> {
    return { host: this.farHost, port };
  }

  /**
   * What connections that are made from now on use, at both ends, unless they choose for themselves. By the routes: what a
   * namespace takes for all of its connections the kernel restricts to what the machine allows.
   */
  async setCongestionControl(name: string): Promise<void> {
    for (const end of ['near', 'far'] as const) {
      for (let path = 0; path < this.#paths; path++) {
        const route = [`10.77.${path}.0/30`, 'dev', `wan${path}`, 'proto', 'kernel', 'scope', 'link'];
        const how = ['src', this.address(end, path), 'congctl', name];
        await this.run(end, 'ip route', 'ip', ['route', 'replace', ...route, ...how]).succeeded();
      }
    }
  }

  set(setting: Setting, value: number, path?: number): Promise<void> {
    return this.#command(setting, value, path);
  }

  /** Loses what is on the link and what comes, until `up`; all paths or one. */
  down(path?: number): Promise<void> {
    return this.#command('down', path);
  }

  up(path?: number): Promise<void> {
    return this.#command('up', path);
  }

  report(): Promise<LinkReport> {
    return this.#ask('report', REPORT, ([, json = '']) => JSON.parse(json) as LinkReport);
  }

  async close(): Promise<void> {
    await this.#program.stop();
  }

  #command(...words: (string | number | undefined)[]): Promise<void> {
    const line = words.filter((word) => word !== undefined).join(' ');
    return this.#ask(line, ANSWER, ([, problem]) => {
      if (problem !== undefined) throw new Error(`${line}: ${problem}`);
    });
  }

  #ask<T>(line: string, answer: RegExp, read: (match: RegExpExecArray) => T): Promise<T> {
    const asked = this.#turn.then(async () => {
      const told = this.#program.line(answer);
      this.#program.write(line);
      return read(await told);
    });
    this.#turn = asked.catch(() => {});
    return asked;
  }
}

interface Ready extends Record<End, string> {
  seed: number;
}

function argumentsOf(conditions: LinkConditions, { jitterMs, paths, seed, mtuBytes }: TunLinkOptions): string[] {
  const values = {
    'rate-mbit': conditions.rateMbit,
    'delay-ms': conditions.roundTripMs / 2,
    'loss-percent': conditions.lossPercent,
    'queue-bytes': conditions.queueBytes,
    'jitter-ms': jitterMs,
    paths,
    seed,
    mtu: mtuBytes,
  };
  return Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, `${value}`]));
}
