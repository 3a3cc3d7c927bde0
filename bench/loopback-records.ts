import { setTimeout as pause } from 'node:timers/promises';
import type { Bench, BenchRow } from './bench.js';
import { memoryDisk } from './kit/memory-disk.js';
import { median } from './kit/timing.js';
import { Workspace } from './kit/workspace.js';
import { LoopbackLink } from './wan/loopback-link.js';
import { OwnEnds } from './wan/own-ends.js';

const MEGABYTE = 1e6;
/** What may be appended and not yet logged. */
const WINDOW_BYTES = 8 * MEGABYTE;

/** Records from one process to another, nothing reduced, until they are in the receive log. */
export const loopbackRecords: Bench = {
  name: 'loopback-records',
  describe: 'random records of 64 KiB from one process to another on tmpfs until they are logged, with and without TLS',
  async run({ tiny, say, dir }) {
    const work = await Workspace.open('bench', dir ?? memoryDisk(say));
    // A session lasts for days, and until V8 has compiled what each record passes it takes some ten seconds.
    const took = { warmUp: tiny ? 0.1 : 12, measured: tiny ? 0.2 : 8 };
    try {
      const rounds: { plain: Figures[]; secured: Figures[] } = { plain: [], secured: [] };
      // In turns, so that what else the machine does strikes both alike.
      for (let round = 0; round < (tiny ? 1 : 3); round++) {
        rounds.plain.push(await measure(work, false, took));
        rounds.secured.push(await measure(work, true, took));
      }
      return [
        ...rows('loopback, 64 KiB records', rounds.plain),
        ...rows('loopback, 64 KiB records, TLS', rounds.secured),
      ];
    } finally {
      await work.close();
    }
  },
};

interface Figures {
  megabytesPerSecond: number;
  senderCpuSecondsPerGb: number;
  receiverCpuSecondsPerGb: number;
  eventLoopDelayP99Ms: number;
}

async function measure(
  work: Workspace,
  secured: boolean,
  { warmUp, measured }: { warmUp: number; measured: number },
): Promise<Figures> {
  const ends = await OwnEnds.open(work, new LoopbackLink(work), { windowBytes: WINDOW_BYTES, secured });
  ends.fill();
  await pause(warmUp * 1000);
  const [before, after] = await ends.during(measured);
  await ends.close();
  const bytes = after.sender.loggedBytes - before.sender.loggedBytes;
  const cpu = (end: 'sender' | 'receiver') => ((after[end].cpuSeconds - before[end].cpuSeconds) / bytes) * 1e9;
  return {
    megabytesPerSecond: bytes / MEGABYTE / (after.sender.seconds - before.sender.seconds),
    senderCpuSecondsPerGb: cpu('sender'),
    receiverCpuSecondsPerGb: cpu('receiver'),
    eventLoopDelayP99Ms: Math.max(after.sender.eventLoopDelayP99Ms, after.receiver.eventLoopDelayP99Ms),
  };
}

function rows(name: string, rounds: readonly Figures[]): BenchRow[] {
  const of = (figure: keyof Figures) => median(rounds.map((round) => round[figure]));
  return [
    { name, metric: 'throughput', value: of('megabytesPerSecond'), unit: 'MB/s' },
    { name, metric: 'processor time, sender', value: of('senderCpuSecondsPerGb'), unit: 's/GB' },
    { name, metric: 'processor time, receiver', value: of('receiverCpuSecondsPerGb'), unit: 's/GB' },
    { name, metric: 'event-loop delay p99, the worse end', value: of('eventLoopDelayP99Ms'), unit: 'ms' },
  ];
}
