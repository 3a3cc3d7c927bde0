import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { corpusOf } from './native-run.js';
import { nativeTargets } from './native-target.js';
import { frameSeeds } from './seed-frames.js';

type Seeds = Record<string, Buffer>;

/** Inputs of native targets that are made, because a run would be long in finding them. */
export async function writeSeeds(): Promise<void> {
  const seeds: Record<string, Seeds> = {
    'chunk-native': chunkSeeds(),
    'records-native': recordSeeds(),
    'zstd-hostile-native': await frameSeeds(),
  };
  for (const target of nativeTargets) {
    mkdirSync(corpusOf(target), { recursive: true });
    for (const [name, bytes] of Object.entries(seeds[target.name] ?? {})) {
      writeFileSync(join(corpusOf(target), name), bytes);
    }
  }
}

/** As fuzz/native/chunk.cc reads it: 400,000 bytes of noise, more than two pieces that are scanned at once. */
function chunkSeeds(): Seeds {
  const range = [0, 0, 0, 0, 0];
  const [minBytes, maxBytes, limit] = [
    [1, 200, 0],
    [1, 0, 32, 0],
    [0, 0, 0, 0, 4],
  ];
  const [table, slices, lead, room, key, large] = [1, 2, 3, 4, 5, 63];
  const noise = [4 + 8 * 3, 0x50, 0xc3, 6];
  const input = [...range, ...minBytes, ...maxBytes, ...limit, table, slices, lead, room, key, large, ...noise];
  return { 'three-pieces': Buffer.from(input) };
}

/** As fuzz/native/records.cc reads it: no records, and noise that is the header of one with 4 GiB. */
function recordSeeds(): Seeds {
  const settings = [0, 0, 0, 0, 0, 0, 0];
  const header = Buffer.alloc(64);
  header.writeUInt32LE(0xffff_ffff, 40);
  return { 'four-gib': Buffer.concat([Buffer.from(settings), header]) };
}
