import { mkdir } from 'node:fs/promises';
import type { Workspace } from '../kit/workspace.js';
import type { Scale } from './scale.js';
import type { Contender, ReadableStore } from './store.js';
import type { Workload } from './workload.js';

/** A store that is filled and closed. */
export interface Shelf {
  name: string;
  contender: Contender<ReadableStore>;
  dir: string;
  workload: Workload;
  records: number;
}

export async function fill(
  work: Workspace,
  contender: Contender<ReadableStore>,
  workload: Workload,
  { storedBytesMax, storedRecordsMax }: Scale,
): Promise<Shelf> {
  const { name } = contender;
  const dir = work.at(name);
  await mkdir(dir);
  const { payloadBytes, groupRecords } = workload;
  const groups = Math.floor(Math.min(storedBytesMax / payloadBytes, storedRecordsMax) / groupRecords);
  const store = await contender.open(dir, workload);
  try {
    const feed = workload.feed();
    for (let i = 0; i < groups; i++) await store.appendMany(feed.group());
  } finally {
    await store.close();
  }
  return { name, contender, dir, workload, records: groups * groupRecords };
}
