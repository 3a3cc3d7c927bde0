import type { Bench } from '../bench.js';
import { dropPageCache } from '../kit/page-cache.js';
import type { Shelf } from './shelf.js';
import { readShelves, type Way } from './shelves.js';
import type { ReadableStore } from './store.js';

/** How fast records come back in order: all of them from the disk and from memory, and the newest alone. */
export const journalRead: Bench = {
  name: 'journal-read',
  describe: 'sequential reads by payload size, from the disk, from memory and near the end, compared with other stores',
  run: (o) => readShelves(o, waysFor, recordsPerSecond),
};

/** From the disk once; from memory over and over, for that many seconds at least. */
interface PartWay extends Way {
  /** The share that is read, the newest of it. */
  part: number;
  seconds: number;
}

function waysFor(seconds: number): PartWay[] {
  return [
    { what: 'read all, from disk', part: 1, forget: true, seconds: 0 },
    { what: 'read all', part: 1, forget: false, seconds },
    { what: 'read the newest eighth', part: 1 / 8, forget: false, seconds },
  ];
}

async function recordsPerSecond(shelf: Shelf, { part, forget, seconds }: PartWay): Promise<number> {
  const store = await shelf.contender.open(shelf.dir, shelf.workload);
  try {
    const records = Math.round(shelf.records * part);
    if (forget) dropPageCache();
    const begun = performance.now();
    let read = 0;
    do {
      await readNewest(store, shelf, records);
      read += records;
    } while (performance.now() - begun < seconds * 1000);
    return (read * 1000) / (performance.now() - begun);
  } finally {
    await store.close();
  }
}

async function readNewest(store: ReadableStore, shelf: Shelf, wanted: number): Promise<void> {
  let records = 0;
  let bytes = 0;
  await store.read(shelf.records - wanted + 1, (payload) => {
    records++;
    bytes += payload.byteLength;
  });
  if (records !== wanted || bytes !== wanted * shelf.workload.payloadBytes) {
    throw new Error(`${shelf.name} gave ${records} records of ${wanted}, ${bytes} bytes`);
  }
}
