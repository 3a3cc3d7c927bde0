import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Journal } from '../../src/journal/journal.js';
import { Decoder } from '../../src/reduce/decoder.js';
import { readPrefix } from '../../src/reduce/prefix.js';
import { Stages } from '../../src/reduce/stages.js';
import { Clock } from '../kit/clock.js';
import { median } from '../kit/timing.js';

/** Restoring alone: bodies that lie in files, against the journal that they refer to. */

/** What restoring a file of bodies took, the median of several times. */
export interface Restored {
  payloadBytes: number;
  seconds: number;
  cpuSeconds: number;
}

/** Each behind its length. */
export async function writeBodies(path: string, bodies: readonly Buffer[]): Promise<void> {
  const parts = bodies.flatMap((body) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(body.byteLength);
    return [length, body];
  });
  await writeFile(path, Buffer.concat(parts));
}

function readBodies(path: string): Buffer[] {
  const file = readFileSync(path);
  const bodies: Buffer[] = [];
  for (let at = 0; at < file.byteLength; ) {
    const end = at + 4 + file.readUInt32LE(at);
    bodies.push(file.subarray(at + 4, end));
    at = end;
  }
  return bodies;
}

/** All files in order, so many times. */
export async function restoreAll(dir: string, paths: readonly string[], times: number): Promise<Restored[]> {
  const journal = await Journal.open({ dir });
  const rounds: Restored[][] = [];
  for (let round = 0; round < times; round++) {
    const restored: Restored[] = [];
    for (const path of paths) restored.push(await restore(journal, readBodies(path)));
    rounds.push(restored);
  }
  await journal.close();
  return paths.map((_, index) => {
    const own = rounds.map((restored) => restored[index] as Restored);
    const middle = (field: keyof Restored): number => median(own.map((one) => one[field]));
    return { payloadBytes: middle('payloadBytes'), seconds: middle('seconds'), cpuSeconds: middle('cpuSeconds') };
  });
}

async function restore(journal: Journal, bodies: readonly Buffer[]): Promise<Restored> {
  const decoder = new Decoder(new Stages(), {
    payloads: (ranges, bytesMax) => readPrefix(journal, ranges, bytesMax),
    parts: (ranges) => journal.readRanges(ranges),
  });
  let payloadBytes = 0;
  const clock = new Clock();
  await clock.time(async () => {
    for (const body of bodies)
      for (const { payload } of (await decoder.decode(body)).records) payloadBytes += payload.byteLength;
  });
  decoder.close();
  return { payloadBytes, seconds: clock.seconds, cpuSeconds: clock.cpuSeconds };
}
