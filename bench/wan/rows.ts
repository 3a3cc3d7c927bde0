import type { BenchRow } from '../bench.js';
import type { OwnFigures } from './measure.js';
import type { Profile } from './profiles.js';
import type { RivalFigure } from './rivals.js';

/** Times of an append beside the round trip and two syncs: hashing, framing, TLS and two event loops. */
const PROCESSING_MS = 2;
/** Of fewer samples the 99th percentile is but the longest. */
const SAMPLES_FOR_P99 = 100;

/** One link's figures as rows; ours, and then each rival's. */
export function rowsOf(profile: Profile, own: OwnFigures, rivals: readonly RivalFigure[]): BenchRow[] {
  const { title: name } = profile;
  const plain = (metric: string, value: number, unit: string): BenchRow => ({ name, metric, value, unit });
  return [
    ...goodputRows(profile, own, rivals),
    plain('goodput from the start', own.goodputFromStartMbit, 'Mbit/s'),
    plain('share of the link', (100 * own.goodputMbit) / profile.rateMbit, '%'),
    ...latencyRows(profile, own),
    ...shapingRows(name, own),
    plain('sender, processor time', own.senderCpuSecondsPerGb, 's/GB'),
    plain('receiver, processor time', own.receiverCpuSecondsPerGb, 's/GB'),
    plain('sender, event-loop delay p99', own.senderEventLoopDelayP99Ms, 'ms'),
    plain('receiver, event-loop delay p99', own.receiverEventLoopDelayP99Ms, 'ms'),
    ...rivals.map((rival) => ({
      name: `${rival.name}; ${name}`,
      metric: 'goodput',
      value: rival.mbit,
      unit: 'Mbit/s',
    })),
  ];
}

function goodputRows({ title }: Profile, { goodputMbit }: OwnFigures, rivals: readonly RivalFigure[]): BenchRow[] {
  const row = { name: title, metric: 'goodput', value: goodputMbit, unit: 'Mbit/s' };
  if (rivals.length === 0) return [row];
  return rivals.map((rival) => ({ ...row, rival: rival.name, ratio: goodputMbit / rival.mbit }));
}

function latencyRows({ title: name, roundTripMs }: Profile, { sync, idle, full }: OwnFigures): BenchRow[] {
  const limit = roundTripMs + 2 * sync.p50Ms + PROCESSING_MS;
  const row = { name, unit: 'ms' };
  const tail = (link: string, { count, p99Ms, maxMs }: OwnFigures['idle']): BenchRow[] => [
    ...(count < SAMPLES_FOR_P99 ? [] : [{ ...row, metric: `append to logged, ${link}, p99`, value: p99Ms }]),
    { ...row, metric: `append to logged, ${link}, longest of ${count}`, value: maxMs },
  ];
  return [
    { ...row, metric: 'fdatasync, idle disk, p50', value: sync.p50Ms },
    {
      ...row,
      metric: 'append to logged, idle link, p50',
      value: idle.p50Ms,
      rival: `round trip + 2 fdatasync + ${PROCESSING_MS} ms`,
      ratio: limit / idle.p50Ms,
    },
    ...tail('idle link', idle),
    { ...row, metric: 'append to logged, full link, p50', value: full.p50Ms },
    ...tail('full link', full),
  ];
}

function shapingRows(name: string, { shaping }: OwnFigures): BenchRow[] {
  if (shaping === undefined) return [];
  const row = { name, unit: '%' };
  return [
    { ...row, metric: 'shaped to half, mean', value: 100 * shaping.mean },
    { ...row, metric: 'shaped to half, largest error of a second', value: 100 * shaping.perSecond },
    { ...row, metric: 'shaped to half, most over 5 s', value: 100 * (1 + shaping.aboveOverFiveSeconds) },
  ];
}
