import { createInterface } from 'node:readline';
import { Sender, type SenderOptions } from '../../src/index.js';
import { Load } from './load.js';
import { type Mark, Meter } from './meter.js';
import { type ProbeOptions, probe } from './probe.js';

/**
 * The near end, a process of its own. Its argument is a `SenderSetup` as JSON; it says `ready` when the peer has logged
 * its first record. Then each line of its input is a command: `fill` begins to fill the link, `probe OPTIONS` answers
 * `probed LATENCIES`, `mark` answers `mark MARK`, both as JSON.
 */

export interface SenderSetup {
  sender: SenderOptions;
  /** What may be appended and not yet logged while the link is filled. */
  windowBytes: number;
}

export interface SenderMark extends Mark {
  /** Of what fills the link. */
  loggedBytes: number;
}

const setup = JSON.parse(process.argv[2] ?? '') as SenderSetup;
const sender = await Sender.open(setup.sender);
const load = new Load(sender, setup.windowBytes);
const meter = new Meter();
const lines = createInterface({ input: process.stdin });
process.once('SIGTERM', () => lines.close());
await sender.append(Buffer.from('first'), { ack: 'logged' });
console.log('ready');
for await (const line of lines) {
  const [, command, json = ''] = /^(\w+) ?(.*)$/.exec(line) ?? [];
  if (command === 'fill') load.start();
  if (command === 'probe') answer('probed', await probe(sender, JSON.parse(json) as ProbeOptions));
  if (command === 'mark') answer('mark', { ...meter.mark(), loggedBytes: load.loggedBytes } satisfies SenderMark);
}
await load.stop();
await sender.close();
meter.close();
process.stdin.destroy();

function answer(word: string, told: object): void {
  console.log(`${word} ${JSON.stringify(told)}`);
}
