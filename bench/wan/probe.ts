import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Sender } from '../../src/index.js';
import { type Latencies, latenciesOf } from '../kit/latencies.js';

export interface ProbeOptions {
  /** No more than this many. */
  samples: number;
  /** No new one after this time. */
  seconds: number;
  /** One every so often, whether the one before is back or not; without it one after another. */
  everyMs?: number;
}

/** Small records, each timed from `append` until the peer has logged it. */
const PROBE_BYTES = 256;

export async function probe(sender: Sender, { samples, seconds, everyMs }: ProbeOptions): Promise<Latencies> {
  const took: number[] = [];
  const end = performance.now() + seconds * 1000;
  const under: Promise<void>[] = [];
  for (let i = 0; i < samples && performance.now() < end; i++) {
    const one = append(sender).then((milliseconds) => void took.push(milliseconds));
    under.push(one);
    await (everyMs === undefined ? one : pause(everyMs));
  }
  await Promise.all(under);
  return latenciesOf(took);
}

async function append(sender: Sender): Promise<number> {
  const payload = randomBytes(PROBE_BYTES);
  const begun = performance.now();
  await sender.append(payload, { ack: 'logged' });
  return performance.now() - begun;
}
