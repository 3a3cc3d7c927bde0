import { MATCH_FIELDS } from '../../src/engine/content-layout.js';
import type { Kernels } from '../../src/engine/kernels.js';

export const KEY = Buffer.alloc(32, 'longhaul');
const ZERO_RUN_BYTES = 64;
const PAGE_BYTES = 8192;
const CHANGE_BYTES = 2048;

export interface Pass {
  /** The name under which bare.cc knows it. */
  kernel: string;
  /** How many bytes it counts for. */
  bytes: number;
  run(): unknown;
}

/** A pass over the data for each kernel, with all results in arrays that are there before. */
export function passesOf(kernels: Kernels, data: Buffer, gear: Uint32Array): Pass[] {
  const bytes = data.byteLength;
  const cuts = new Uint32Array(Math.ceil(bytes / (gear[0] as number)));
  const tags = new BigUint64Array(cuts.length);
  const chunks = kernels.digestChunks(data, 0, bytes, gear, KEY, cuts, tags, 0);
  const ends = cuts.slice(0, chunks);
  const ranges = Uint32Array.from({ length: 2 * chunks }, (_, at) => (at === 0 ? 0 : (ends[(at - 1) >> 1] as number)));
  const half = bytes / 2;
  const [first, second, difference] = [data.subarray(0, half), data.subarray(half), Buffer.alloc(half)];
  const runs = new Uint32Array(2 * (bytes / ZERO_RUN_BYTES + 1));
  const state = new Uint32Array(2);
  const later = changed(data);
  const matches = new Uint32Array(MATCH_FIELDS * PAGE_BYTES);
  const match = (base: Buffer, target: Buffer): void => {
    for (let at = 0; at + PAGE_BYTES <= target.byteLength; at += PAGE_BYTES) {
      kernels.matchBytes(base.subarray(at, at + PAGE_BYTES), target.subarray(at, at + PAGE_BYTES), 0, matches);
    }
  };
  return [
    { kernel: 'chunk', bytes, run: () => kernels.cutChunks(data, 0, bytes, gear, state.fill(0), cuts) },
    { kernel: 'digest', bytes, run: () => kernels.digestRanges(data, ranges, KEY, tags) },
    { kernel: 'chunk+digest', bytes, run: () => kernels.digestChunks(data, 0, bytes, gear, KEY, cuts, tags, 0) },
    { kernel: 'checksum', bytes, run: () => kernels.checksumRanges(data, ranges, 0n, tags) },
    { kernel: 'xor', bytes: half, run: () => kernels.xorBytes(first, second, difference) },
    { kernel: 'zeros', bytes, run: () => kernels.zeroRuns(data, 0, bytes, ZERO_RUN_BYTES, runs) },
    { kernel: 'match', bytes, run: () => match(data, later) },
    { kernel: 'match unlike', bytes: half, run: () => match(first, second) },
  ];
}

/** A later version: bytes that have changed, as many on each page. */
function changed(data: Buffer): Buffer {
  const later = Buffer.from(data);
  for (let at = 4; at < later.byteLength; at += CHANGE_BYTES) later[at] = (later[at] as number) ^ 0x55;
  return later;
}
