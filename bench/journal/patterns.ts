import type { Store } from './store.js';
import type { Feed, Workload } from './workload.js';

/** The ways in which a program appends. */

export interface Pattern {
  name: string;
  /** Appends until `over` says so, once at least; resolves with the records that are durable by then, all of them. */
  run(store: Store, feed: Feed, over: () => boolean): Promise<number>;
}

export function patterns({ groupRecords }: Workload, inFlight: number): Pattern[] {
  const many = groups(groupRecords);
  return [oneCaller, manyCallers(inFlight, many), many];
}

const oneCaller: Pattern = {
  name: 'one caller awaiting each',
  async run(store, feed, over) {
    let records = 0;
    do {
      await store.append(feed.payload());
      records++;
    } while (!over());
    return records;
  },
};

function groups(groupRecords: number): Pattern {
  return {
    name: `appendMany of ${groupRecords} awaited one after another`,
    async run(store, feed, over) {
      let records = 0;
      do {
        await store.appendMany(feed.group());
        records += groupRecords;
      } while (!over());
      return records;
    },
  };
}

/** A store that takes one caller at a time gets groups, as if something in front of it had gathered them. */
function manyCallers(inFlight: number, gathered: Pattern): Pattern {
  return {
    name: `${inFlight.toLocaleString('en')} in flight`,
    async run(store, feed, over) {
      if (!store.concurrent) return gathered.run(store, feed, over);
      const callers = Array.from({ length: inFlight }, () => oneCaller.run(store, feed, over));
      return (await Promise.all(callers)).reduce((sum, records) => sum + records, 0);
    },
  };
}
