import type { Bench } from './bench.js';
import { checksum } from './checksum.js';
import { compress } from './compress.js';
import { engineBench } from './engine/engine.js';
import { engineZstd } from './engine/zstd.js';
import { journalAppend } from './journal/append.js';
import { journalOpen } from './journal/open.js';
import { journalRandomRead } from './journal/random-reads.js';
import { journalRead } from './journal/read.js';
import { journalScrub } from './journal/scrub.js';
import { loopback } from './loopback.js';
import { loopbackRecords } from './loopback-records.js';
import { reductionCodec } from './reduction/codec.js';
import { reduction } from './reduction/reduction.js';
import { shaper } from './shaper/shaper.js';
import { tree } from './tree.js';
import { wanBackground } from './wan/background.js';
import { wan } from './wan/wan.js';

export type { Bench, BenchOptions, BenchRow } from './bench.js';

/** Every benchmark, in the order in which `npm run bench` runs them. */
export const BENCHES: readonly Bench[] = [
  checksum,
  compress,
  engineBench,
  engineZstd,
  journalAppend,
  journalRead,
  journalRandomRead,
  journalOpen,
  journalScrub,
  loopback,
  loopbackRecords,
  shaper,
  tree,
  wan,
  wanBackground,
  reduction,
  reductionCodec,
];
