import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Bench as Tinybench } from 'tinybench';
import { checksum64 } from '../src/engine/checksum.js';
import type { Bench, BenchRow } from './bench.js';

const PIECE_BYTES = 64 * 1024;
const XXH64 = 'XXH64';
const SHA256 = 'SHA-256 (node:crypto)';

/** What one core spends on checking bytes: the checksum of every record and frame, beside a cryptographic digest. */
export const checksum: Bench = {
  name: 'checksum',
  describe: 'XXH64 as the engine computes it, and SHA-256, over 64 KiB pieces of real text',
  async run({ tiny }) {
    const pieces = realPieces(tiny ? 4 : Number.POSITIVE_INFINITY);
    const bytes = pieces.length * PIECE_BYTES;
    const bench = new Tinybench({ time: tiny ? 0 : 1000, warmupTime: tiny ? 0 : 250, iterations: tiny ? 3 : 20 });
    bench.add(XXH64, () => {
      for (const piece of pieces) checksum64(piece);
    });
    bench.add(SHA256, () => {
      for (const piece of pieces) createHash('sha256').update(piece).digest();
    });
    await bench.run();
    const xxh64 = megabytesPerSecond(bench, XXH64, bytes);
    const sha256 = megabytesPerSecond(bench, SHA256, bytes);
    return [row(XXH64, xxh64, { rival: SHA256, ratio: xxh64 / sha256 }), row(SHA256, sha256)];
  },
};

/** Whole pieces of the compiler's own source, which every checkout has. */
function realPieces(countMax: number): Uint8Array[] {
  const folder = dirname(createRequire(import.meta.url).resolve('typescript'));
  const files = readdirSync(folder).filter((file) => file.endsWith('.js'));
  const text = Buffer.concat(files.sort().map((file) => readFileSync(join(folder, file))));
  const count = Math.min(countMax, Math.floor(text.length / PIECE_BYTES));
  return Array.from({ length: count }, (_, i) => text.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES));
}

/** From the median pass, which a busy machine disturbs least. */
function megabytesPerSecond(bench: Tinybench, name: string, bytes: number): number {
  const result = bench.getTask(name)?.result;
  if (result?.state !== 'completed') throw new Error(`${name} did not complete: ${result?.state}`);
  return bytes / 1e6 / (result.latency.p50 / 1000);
}

function row(name: string, value: number, versus?: { rival: string; ratio: number }): BenchRow {
  return { name: `${name}, 64 KiB`, metric: 'throughput', value, unit: 'MB/s', ...versus };
}
