import type { Bench, BenchOptions, BenchRow } from '../bench.js';
import { memoryDisk } from '../kit/memory-disk.js';
import { realDisk } from '../kit/real-disk.js';
import { Workspace } from '../kit/workspace.js';
import { type MeasureOptions, measureOwn, secondsOf, windowBytesOf } from './measure.js';
import { type Profile, profilesNamed } from './profiles.js';
import { RelayLink } from './relay.js';
import { measureRivals, sayMissing } from './rivals.js';
import { rowsOf } from './rows.js';
import { TunLink } from './tun-link.js';

/** What a thin, long line leaves of the data and adds to the wait. */
export const wan: Bench = {
  name: 'wan',
  describe: 'goodput and latency over emulated links, 1 Gbit/s to 2 Mbit/s, compared with iperf3 and rsync',
  async run(o) {
    const { tiny, say } = o;
    const profiles = profilesNamed(o.link ?? (tiny ? 'wan30' : ''));
    // A tiny run is the same everywhere, and costs no root.
    const missing = tiny ? 'a tiny run takes no devices' : TunLink.missing();
    if (missing !== undefined) say(`${missing}: ${RelayLink.cannot}`);
    else if (o.alone !== true) await sayMissing(say);
    const dir = tiny ? (o.dir ?? memoryDisk(say)) : realDisk(o.dir, say);
    const rows: BenchRow[] = [];
    for (const profile of profiles) rows.push(...(await measureLink(dir, profile, missing === undefined, o)));
    return rows;
  },
};

const SAMPLES = 200;
const TINY: MeasureOptions = { seconds: 0.5, samples: 5 };

async function measureLink(dir: string, profile: Profile, devices: boolean, o: BenchOptions): Promise<BenchRow[]> {
  const how = o.tiny ? TINY : { seconds: o.seconds ?? secondsOf(profile), samples: SAMPLES };
  const work = await Workspace.open('wan', dir);
  try {
    const link = devices ? await TunLink.start(work, profile) : work.own(new RelayLink(work, profile));
    o.say(`${profile.name}: ${link.describe}; ${(windowBytesOf(profile) / 1e6).toFixed(1)} MB under way`);
    const own = await measureOwn(work, link, profile, how);
    const rivals = link instanceof TunLink && o.alone !== true ? await measureRivals(work, link, profile, how) : [];
    if (link instanceof TunLink) await sayHowExact(link, o.say);
    return rowsOf(profile, own, rivals);
  } finally {
    await work.close();
  }
}

/** A reader has to know whether it was the link that was measured, or the machine. */
async function sayHowExact(link: TunLink, say: (line: string) => void): Promise<void> {
  const { overruns, lanes } = await link.report();
  const late = lanes.map(({ from, latenessMsMean, latenessMsMax }) => {
    return `from the ${from} end ${latenessMsMean.toFixed(3)} ms late in the mean, ${latenessMsMax.toFixed(1)} at most`;
  });
  say(`  the emulator: packets ${late.join(', ')}; ${overruns.near + overruns.far} not read in time`);
}
