import { readFileSync } from 'node:fs';

/** What a process has used of the machine so far. */
export interface Usage {
  /** User and system, of all its threads. */
  cpuSeconds: number;
  /** The peak of its resident memory; undefined where the system does not tell. */
  peakBytes?: number;
}

const STATUS = '/proc/self/status';

/**
 * Of this process. The peak is the kernel's own count for this process alone; `maxRSS` would begin with that of the
 * process that started it.
 */
export function ownUsage(): Usage {
  const { user, system } = process.cpuUsage();
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readOrNothing(STATUS))?.[1];
  const cpuSeconds = (user + system) / 1e6;
  return kilobytes === undefined ? { cpuSeconds } : { cpuSeconds, peakBytes: Number(kilobytes) * 1024 };
}

/** What a process that was started with `leave-usage.ts` has left; undefined when it has left nothing. */
export function usageIn(file: string): Usage | undefined {
  const text = readOrNothing(file);
  return text === '' ? undefined : (JSON.parse(text) as Usage);
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
