import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setImmediate as turn } from 'node:timers/promises';
import { isMainThread, workerData } from 'node:worker_threads';
import { ZstdDecoder } from '../../src/engine/zstd-decoder.js';
import { ZstdEncoder } from '../../src/engine/zstd-encoder.js';
import { compressPiece, decompressPiece } from '../../src/engine/zstd-piece.js';
import { collect, departures, leave, type Scenarios } from './departure.js';

/**
 * A program that leaves, or lets go of its memory, while the codec is at work: `zstd-leaving.js <scenario>`. The last
 * line it prints says that it got where it should.
 */

const MIB = 1024 * 1024;
const STREAMS = 6;
const CALLS = 8;
const PIECE_BYTES = 128 * 1024;

const scenario = isMainThread ? process.argv[2] : (workerData as string);
const text = readFileSync(createRequire(import.meta.url).resolve('typescript/lib/_tsc.js'));
const part = (index: number): Buffer => Buffer.from(text.subarray(index * 1000, index * 1000 + PIECE_BYTES));

/** Streams and pieces, both ways, whose input nobody else holds. */
async function round(index: number): Promise<void> {
  const prefix = part(index + 1);
  const [encoder, decoder] = await Promise.all([
    ZstdEncoder.open({ level: 1, windowLog: 18, prefix }),
    ZstdDecoder.open({ prefix }),
  ]);
  const packed = await Promise.all(Array.from({ length: CALLS }, (_, call) => encoder.compress(part(index + call))));
  for (const [call, one] of packed.entries()) {
    if (!(await decoder.decompress(one, PIECE_BYTES)).equals(part(index + call)))
      throw new Error(`call ${call} differs`);
  }
  const piece = await compressPiece(part(index), part(index + 1));
  if (!(await decompressPiece(piece, part(index + 1), PIECE_BYTES)).equals(part(index)))
    throw new Error('piece differs');
}

const startAll = (): Promise<void>[] => Array.from({ length: STREAMS }, (_, index) => round(index));

const done = (): void => console.log('all compressed');

const scenarios: Scenarios = {
  ...departures({ program: import.meta.url, workerData: (inside) => inside, startAll, done }),
  async 'while it opens'() {
    for (let index = 0; index < STREAMS; index++) void ZstdEncoder.open({ level: 19, prefix: text });
    await turn();
    leave();
  },
  /** Calls that would take minutes are given up at the next block. */
  async 'in the middle of an hour'() {
    const encoders = await Promise.all(Array.from({ length: 3 }, () => ZstdEncoder.open({ level: 19 })));
    const long = Array.from({ length: 150 }, () => text);
    for (const encoder of encoders) void encoder.compress(long);
    await turn();
    leave();
  },
  async 'by itself'() {
    let count = 0;
    for (const one of startAll()) void one.then(() => count++);
    process.once('exit', () => console.log(count === STREAMS ? 'all compressed' : `${count} done`));
  },
  async idle() {
    await Promise.all(startAll());
    // Neither closed nor collected.
    const open = [await ZstdEncoder.open(), await ZstdDecoder.open()];
    console.log(open.length === 2 ? 'nothing keeps it' : '');
  },
  async collected() {
    const calls = startAll();
    for (let index = 0; index < 40; index++) {
      collect();
      // What the collector freed is likely to be used again for these.
      for (let one = 0; one < 20; one++) Buffer.alloc(PIECE_BYTES, 0xff);
      await turn();
    }
    await Promise.all(calls);
    done();
  },
  /** Only the collector can free what nobody closes, and it has to learn how much that is. */
  async 'never closed'() {
    const prefix = Buffer.alloc(8 * MIB, 'prefix');
    let most = 0;
    for (let index = 0; index < 200; index++) {
      await ZstdEncoder.open({ level: 1, windowLog: 23, prefix });
      await ZstdDecoder.open({ prefix });
      most = Math.max(most, process.memoryUsage.rss());
    }
    // Both together hold more than 3 GiB.
    console.log(most < 1000 * MIB ? 'all freed' : `${most / MIB} MiB`);
  },
  async 'closed and gone'() {
    for (let index = 0; index < 50; index++) {
      let encoder: ZstdEncoder | undefined = await ZstdEncoder.open({ level: 3, windowLog: 17 });
      const calls = Promise.allSettled([encoder.compress(text), encoder.compress(text)]);
      if (index % 2 === 0) encoder.close();
      encoder = undefined;
      collect();
      await turn();
      collect();
      await calls;
    }
    console.log('still here');
  },
  async 'ten thousand calls'() {
    const encoder = await ZstdEncoder.open({ level: 1, windowLog: 20 });
    const decoder = await ZstdDecoder.open({ windowLogMax: 20 });
    const call = async (index: number): Promise<void> => {
      const input = text.subarray((index % 1000) * 1000, (index % 1000) * 1000 + 40_000);
      const [packed, piece] = await Promise.all([encoder.compress(input), compressPiece(input, input)]);
      const both = [decoder.decompress(packed, 40_000), decompressPiece(piece, input, 40_000)];
      for (const back of await Promise.all(both)) if (!back.equals(input)) throw new Error(`call ${index} differs`);
    };
    for (let index = 0; index < 500; index++) await call(index);
    collect();
    const before = process.memoryUsage.rss();
    for (let index = 500; index < 3000; index++) await call(index);
    collect();
    const grown = process.memoryUsage.rss() - before;
    console.log(grown < 48 * MIB ? 'no larger' : `${grown / MIB} MiB more`);
  },
};

await scenarios[scenario ?? '']?.();
