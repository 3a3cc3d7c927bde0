import type { LinkConditions } from './link.js';

/** The links that figures are given for. */
export interface Profile extends LinkConditions {
  /** The word that selects it on the command line. */
  name: string;
  title: string;
}

const KIB = 1024;

export const PROFILES: readonly Profile[] = [
  // One round trip at its rate is 25 kB; the ports of small switches hold some hundred.
  { name: 'lan', title: '1 Gbit/s, 0.2 ms', rateMbit: 1000, roundTripMs: 0.2, lossPercent: 0, queueBytes: 512 * KIB },
  { name: 'wan30', title: '100 Mbit/s, 30 ms', rateMbit: 100, roundTripMs: 30, lossPercent: 0 },
  { name: 'wan200', title: '100 Mbit/s, 200 ms, 1 % loss', rateMbit: 100, roundTripMs: 200, lossPercent: 1 },
  { name: 'wan80', title: '20 Mbit/s, 80 ms, 0.1 % loss', rateMbit: 20, roundTripMs: 80, lossPercent: 0.1 },
  { name: 'wan600', title: '2 Mbit/s, 600 ms, 0.5 % loss', rateMbit: 2, roundTripMs: 600, lossPercent: 0.5 },
];

/** Those whose names begin with the word. */
export function profilesNamed(word: string): readonly Profile[] {
  const chosen = PROFILES.filter(({ name }) => name.startsWith(word));
  const names = PROFILES.map(({ name }) => name).join(', ');
  if (chosen.length === 0) throw new Error(`no link is named ${JSON.stringify(word)}; there are ${names}`);
  return chosen;
}

export function bytesPerSecond({ rateMbit }: LinkConditions): number {
  return (rateMbit * 1e6) / 8;
}

/** What is under way during one round trip when the link is full. */
export function roundTripBytes(conditions: LinkConditions): number {
  return (bytesPerSecond(conditions) * conditions.roundTripMs) / 1000;
}
