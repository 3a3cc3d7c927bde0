import { createHash } from 'node:crypto';
import { Bench as Tinybench } from 'tinybench';
import { checksum64 } from '../src/engine/checksum.js';
import type { Bench, BenchRow } from './bench.js';
import { realText } from './kit/real-text.js';
import { megabytesPerSecond } from './kit/throughput.js';

const PIECE_BYTES = 64 * 1024;
const XXH64 = 'XXH64';
const SHA256 = 'SHA-256 (node:crypto)';

/** What one core spends on checking bytes: the checksum of every record and frame, beside a cryptographic digest. */
export const checksum: Bench = {
  name: 'checksum',
  describe: 'XXH64 as the engine computes it, and SHA-256, over 64 KiB pieces of real text',
  async run({ tiny }) {
    const pieces = realText(PIECE_BYTES, tiny ? 4 : Number.POSITIVE_INFINITY);
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

function row(name: string, value: number, versus?: { rival: string; ratio: number }): BenchRow {
  return { name: `${name}, 64 KiB`, metric: 'throughput', value, unit: 'MB/s', ...versus };
}
