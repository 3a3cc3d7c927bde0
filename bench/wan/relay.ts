import { EmulatedLink } from '../../test/sim/link.js';
import type { Program, ProgramOptions } from '../kit/program.js';
import type { Workspace } from '../kit/workspace.js';
import type { End, Link, LinkConditions } from './link.js';
import { bytesPerSecond } from './profiles.js';

/** Where there are no TUN devices: a relay of TCP connections within this process, with a rate and a delay. */
export class RelayLink implements Link {
  static readonly cannot =
    'a relay within this process stands in for the link: rate and delay, but no loss, no congestion control, no queue that drops';

  readonly describe: string;
  readonly farHost = '127.0.0.1';
  readonly #work: Workspace;
  readonly #conditions: LinkConditions;
  readonly #relays: EmulatedLink[] = [];

  constructor(work: Workspace, conditions: LinkConditions) {
    this.describe = `${conditions.rateMbit} Mbit/s, ${conditions.roundTripMs} ms there and back, a relay`;
    this.#work = work;
    this.#conditions = conditions;
  }

  run(_end: End, name: string, command: string, args: readonly string[], options?: ProgramOptions): Program {
    return this.#work.run(name, command, args, options);
  }

  async reach(port: number): Promise<{ host: string; port: number }> {
    const rateBytesPerSecond = bytesPerSecond(this.#conditions);
    const delayMs = this.#conditions.roundTripMs / 2;
    const relay = await EmulatedLink.open({ rateBytesPerSecond, delayMs, target: { port } });
    this.#relays.push(relay);
    return { host: relay.host, port: relay.port };
  }

  async report(): Promise<undefined> {}

  async close(): Promise<void> {
    for (const relay of this.#relays.splice(0)) await relay.close();
  }
}
