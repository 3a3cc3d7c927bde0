import { setTimeout as pause } from 'node:timers/promises';
import type { Priority } from '../../src/index.js';
import type { Bench, BenchRow } from '../bench.js';
import { memoryDisk } from '../kit/memory-disk.js';
import { realDisk } from '../kit/real-disk.js';
import { Workspace } from '../kit/workspace.js';
import { type Link, laneFrom } from './link.js';
import { warmUpSeconds, windowBytesOf } from './measure.js';
import { OwnEnds } from './own-ends.js';
import { PlainFlow } from './plain-flow.js';
import { type Profile, profilesNamed } from './profiles.js';
import { RelayLink } from './relay.js';
import { TunLink } from './tun-link.js';

/** What one plain TCP connection and a sender get of a link, alone and beside each other. */

/** What a stretch of time brought each of the two; undefined for one that was not there. */
interface Shares {
  plainMbit: number | undefined;
  ownMbit: number | undefined;
  /** What waited at the link at most, from the start; undefined where that is not counted. */
  queueMsMax: number | undefined;
}

interface Phase {
  name: string;
  plain: boolean;
  own: Priority | undefined;
}

const PHASES: readonly Phase[] = [
  { name: 'a plain TCP connection alone', plain: true, own: undefined },
  { name: 'a plain TCP connection beside a normal sender', plain: true, own: 'normal' },
  { name: 'a plain TCP connection beside a sender in the background', plain: true, own: 'background' },
  { name: 'a sender in the background alone', plain: false, own: 'background' },
];

const SECONDS = 5;
const TINY_SECONDS = 0.5;
const CONGESTION_CONTROL = 'cubic';
/** Of the sender, in times of a warm-up. */
const HEAD_STARTS = 1.5;

export const wanBackground: Bench = {
  name: 'wan-background',
  describe: 'what a plain TCP connection gets beside a normal sender, and beside one in the background',
  async run(o) {
    const { tiny, say } = o;
    const missing = tiny ? 'a tiny run takes no devices' : TunLink.missing();
    if (missing !== undefined) say(`${missing}: ${RelayLink.cannot}`);
    const dir = tiny ? (o.dir ?? memoryDisk(say)) : realDisk(o.dir, say);
    const seconds = o.seconds ?? (tiny ? TINY_SECONDS : SECONDS);
    const rows: BenchRow[] = [];
    for (const profile of profilesNamed(o.link ?? 'wan30')) {
      say(`${profile.name}: ${profile.title}; the plain connection uses ${o.only ?? CONGESTION_CONTROL}`);
      for (const phase of PHASES) {
        const shares = await measureOn(dir, profile, phase, { seconds, devices: missing === undefined, ...o });
        rows.push(...rowsOf(phase, profile, shares));
      }
    }
    return rows;
  },
};

interface PhaseOptions {
  seconds: number;
  /** Whether there are devices to make a link of. */
  devices: boolean;
  /** The congestion control of the plain connection; the sender chooses for itself. */
  only?: string;
}

/** On a link of its own, as that tells how long its queue ever was. */
async function measureOn(dir: string, profile: Profile, phase: Phase, o: PhaseOptions): Promise<Shares> {
  const work = await Workspace.open('wan', dir);
  try {
    if (!o.devices) return await measure(work, work.own(new RelayLink(work, profile)), profile, phase, o.seconds);
    const link = await TunLink.start(work, profile);
    await link.setCongestionControl(o.only ?? CONGESTION_CONTROL);
    return await measure(work, link, profile, phase, o.seconds);
  } finally {
    await work.close();
  }
}

/** The sender is there first, and has the link to itself for a while: it is the one that has to give way. */
async function measure(
  work: Workspace,
  link: Link,
  profile: Profile,
  { own: priority, plain }: Phase,
  seconds: number,
): Promise<Shares> {
  const windowBytes = windowBytesOf(profile);
  const own = priority === undefined ? undefined : await OwnEnds.open(work, link, { windowBytes, priority });
  own?.fill();
  const warmUpMs = warmUpSeconds(profile, { seconds, samples: 0 }) * 1000;
  if (own !== undefined) await pause(HEAD_STARTS * warmUpMs);
  const flow = plain ? await PlainFlow.start(link) : undefined;
  if (plain) await pause(warmUpMs);
  const before = { plain: await flow?.mark(), own: (await own?.mark())?.sender };
  await pause(seconds * 1000);
  const after = { plain: await flow?.mark(), own: (await own?.mark())?.sender };
  const report = await link.report();
  await flow?.stop();
  await own?.close();
  return {
    plainMbit: mbitBetween(before.plain, after.plain, (mark) => mark.bytes),
    ownMbit: mbitBetween(before.own, after.own, (mark) => mark.loggedBytes),
    queueMsMax: report === undefined ? undefined : laneFrom(report, 'near').queueMsMax,
  };
}

function mbitBetween<M extends { seconds: number }>(
  before: M | undefined,
  after: M | undefined,
  bytesOf: (mark: M) => number,
): number | undefined {
  if (before === undefined || after === undefined) return undefined;
  return ((bytesOf(after) - bytesOf(before)) * 8) / 1e6 / (after.seconds - before.seconds);
}

function rowsOf({ name }: Phase, { title }: Profile, { plainMbit, ownMbit, queueMsMax }: Shares): BenchRow[] {
  const row = (metric: string, value: number | undefined, unit: string): BenchRow[] =>
    value === undefined ? [] : [{ name: `${name}; ${title}`, metric, value, unit }];
  return [
    ...row('goodput of the plain connection', plainMbit, 'Mbit/s'),
    ...row('goodput of the sender', ownMbit, 'Mbit/s'),
    ...row('longest queue at the link', queueMsMax, 'ms'),
  ];
}
