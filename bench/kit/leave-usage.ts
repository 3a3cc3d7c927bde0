import { writeFileSync } from 'node:fs';
import { ownUsage } from './usage.js';

/** Loaded into a process with `--import`: leaves what it has used in a file when it ends. */
const target = process.env.LONGHAUL_BENCH_USAGE;

if (target !== undefined) process.on('exit', () => writeFileSync(target, JSON.stringify(ownUsage())));
