import { writeFile } from 'node:fs/promises';
import { engine } from '../../src/engine/engine.js';
import { ZstdEncoder } from '../../src/engine/zstd-encoder.js';
import type { Bench, BenchRow } from '../bench.js';
import { realText } from '../kit/real-text.js';
import { Workspace } from '../kit/workspace.js';
import { type Rival, rivalsOf, type ZstdSetting } from './zstd-rivals.js';

/** What the level itself would choose, and the long window of a peer's stream. */
const SETTINGS: readonly ZstdSetting[] = [
  { name: 'zstd -1', level: 1, windowLog: 19, longDistance: false },
  { name: 'zstd -3', level: 3, windowLog: 21, longDistance: false },
  { name: 'zstd -1 --long=26', level: 1, windowLog: 26, longDistance: true },
  { name: 'zstd -3 --long=26', level: 3, windowLog: 26, longDistance: true },
];

const PIECE_BYTES = 1024 * 1024;
const ROUNDS = 5;
const ROUND_MS = 1000;

/** The stream of one peer, which is one thread's work, beside the command and the bare calls. */
export const engineZstd: Bench = {
  name: 'engine-zstd',
  describe: 'one zstd stream, flushed every 1 MiB of real text, beside zstd -b and the bare calls of the library',
  async run({ tiny, say, dir }) {
    if (!engine.codecs.includes('zstd')) {
      say(`zstd needs the native engine: ${engine.reason}`);
      return [];
    }
    const pieces = realText(PIECE_BYTES, tiny ? 2 : Number.POSITIVE_INFINITY);
    const work = await Workspace.open('bench', dir);
    try {
      const file = work.at('text');
      await writeFile(file, Buffer.concat(pieces));
      const rivals = rivalsOf(work, file, say);
      const rows: BenchRow[] = [];
      for (const setting of tiny ? SETTINGS.slice(0, 1) : SETTINGS) {
        rows.push(...(await compare(setting, pieces, rivals, tiny ? 1 : ROUNDS)));
      }
      return rows;
    } finally {
      await work.close();
    }
  },
};

/** In turn, so that what else the machine does strikes all alike; the fastest round counts, as `zstd -b` counts. */
async function compare(
  setting: ZstdSetting,
  pieces: Uint8Array[],
  rivals: readonly Rival[],
  rounds: number,
): Promise<BenchRow[]> {
  const bytes = pieces.length * PIECE_BYTES;
  const theirs = rivals.map(({ name }) => ({ name, rate: 0 }));
  let fastest = Number.POSITIVE_INFINITY;
  let packed = 0;
  for (let round = 0; round < rounds; round++) {
    // As long as `zstd -b -i1` goes on, so that either meets as many quiet moments.
    for (const until = performance.now() + (rounds > 1 ? ROUND_MS : 0); ; ) {
      const { seconds, bytesOut } = await stream(setting, pieces);
      fastest = Math.min(fastest, seconds);
      packed = bytesOut;
      if (performance.now() >= until) break;
    }
    for (const [at, rival] of rivals.entries()) {
      const one = theirs[at] as (typeof theirs)[number];
      one.rate = Math.max(one.rate, rival.megabytesPerSecond(setting));
    }
  }
  const rate = bytes / 1e6 / fastest;
  const row = { name: `stream as ${setting.name}`, metric: 'throughput', value: rate, unit: 'MB/s' };
  const rows: BenchRow[] = theirs.map(({ name, rate: rival }) => ({ ...row, rival: name, ratio: rate / rival }));
  if (rows.length === 0) rows.push(row);
  return [...rows, { name: row.name, metric: 'smaller', value: bytes / packed, unit: 'times' }];
}

/** Two calls at a time, so that the next piece is there when one is done. */
async function stream(
  { level, windowLog, longDistance }: ZstdSetting,
  pieces: Uint8Array[],
): Promise<{ seconds: number; bytesOut: number }> {
  const encoder = await ZstdEncoder.open({ level, windowLog, longDistance });
  try {
    const begun = performance.now();
    let bytesOut = 0;
    let before: Promise<Buffer> | undefined;
    for (const piece of pieces) {
      const next = encoder.compress(piece);
      bytesOut += (await before)?.byteLength ?? 0;
      before = next;
    }
    bytesOut += (await before)?.byteLength ?? 0;
    return { seconds: (performance.now() - begun) / 1000, bytesOut };
  } finally {
    encoder.close();
  }
}
