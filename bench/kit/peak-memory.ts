import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/**
 * Loaded into a process with `--import`: leaves the peak of its resident memory, in bytes, in a file when it ends. The
 * kernel's own count for this process alone; `maxRSS` would begin with that of the process that started it.
 */
const STATUS = '/proc/self/status';
const target = process.env.LONGHAUL_BENCH_PEAK_MEMORY;

if (target !== undefined && existsSync(STATUS)) {
  process.on('exit', () => {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(STATUS, 'utf8'))?.[1];
    if (kilobytes !== undefined) writeFileSync(target, String(Number(kilobytes) * 1024));
  });
}
