import { rsyncVersion } from '../kit/rsync.js';
import type { Workspace } from '../kit/workspace.js';
import { congestionControls, iperfVersion, runIperf } from './iperf.js';
import { type MeasureOptions, warmUpSeconds } from './measure.js';
import { bytesPerSecond, type Profile } from './profiles.js';
import { runRsync } from './rsync.js';
import type { TunLink } from './tun-link.js';

/** What others carry over the same link, each alone on it. */

export interface RivalFigure {
  name: string;
  mbit: number;
}

const CONNECTIONS = [1, 4, 8];
const CONGESTION_CONTROLS = ['bbr', 'cubic'];
/** A copy over a single connection may take very long; what has arrived after so many times the seconds counts. */
const RSYNC_PATIENCE = 3;

/** In one line each, what cannot be measured here. */
export async function sayMissing(say: (line: string) => void): Promise<void> {
  if (iperfVersion() === undefined) say('iperf3 is not installed: skipped');
  if (rsyncVersion() === undefined) say('rsync is not installed: skipped');
  const here = await congestionControls();
  for (const name of CONGESTION_CONTROLS) if (!here.includes(name)) say(`this kernel has no ${name}: skipped`);
}

export async function measureRivals(
  work: Workspace,
  link: TunLink,
  profile: Profile,
  o: MeasureOptions,
): Promise<RivalFigure[]> {
  const figures: RivalFigure[] = [];
  const here = await congestionControls();
  const controls = CONGESTION_CONTROLS.filter((name) => here.includes(name));
  const [seconds, warmUp] = [Math.ceil(o.seconds), Math.ceil(warmUpSeconds(profile, o))];
  for (const congestionControl of iperfVersion() === undefined ? [] : controls) {
    for (const connections of CONNECTIONS) {
      const { mbit } = await runIperf(work, link, { connections, congestionControl, seconds, warmUpSeconds: warmUp });
      figures.push({ name: `iperf3, ${congestionControl}, ${connections}`, mbit });
    }
  }
  for (const congestionControl of rsyncVersion() === undefined ? [] : controls) {
    await link.setCongestionControl(congestionControl);
    const fileBytes = Math.round(bytesPerSecond(profile) * o.seconds);
    const { mbit } = await runRsync(work, link, { fileBytes, secondsMax: RSYNC_PATIENCE * o.seconds });
    figures.push({ name: `rsync, ${congestionControl}`, mbit });
  }
  return figures;
}
