import { expect, test } from 'vitest';
import type { Connection } from '../../src/channel/connection.js';
import { ownCapability } from '../../src/engine/capability.js';
import { Journal } from '../../src/index.js';
import { History } from '../../src/reduce/history.js';
import { Indexer } from '../../src/reduce/indexer.js';
import { Outliner } from '../../src/reduce/outline.js';
import { LADDER } from '../../src/reduce/pace.js';
import { Stages } from '../../src/reduce/stages.js';
import { Outflow } from '../../src/replication/outflow.js';
import { randomFor } from '../support/seed.js';
import { atEnd, newDirectory } from '../support/temp.js';

const MIB = 1024 * 1024;

/** Far more than is sent until the first decision, as it goes round and round. */
const RECORDS = 64;
const ROUNDS_MAX = 60;

test.runIf(ownCapability().zstd)('a session on a link that is never waited for goes down', async () => {
  const journal = await Journal.open({ dir: newDirectory() });
  atEnd(() => journal.close());
  const random = randomFor(641);
  const outliner = new Outliner(Buffer.alloc(32, 1));
  // Text in which nothing comes twice: the same letters, each time under another mapping.
  const letters = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
  const pool = random.bytes(MIB).map((byte) => byte & 63);
  let drawn = 0;
  const text = (): Buffer => {
    const [factor, shift] = [2 * (drawn % 32) + 1, Math.floor(drawn / 32)];
    drawn++;
    const table = Uint8Array.from({ length: 64 }, (_, at) => letters[(at * factor + shift) & 63] as number);
    return Buffer.from(pool.map((value) => table[value] as number));
  };
  const over = new AbortController();
  let sent = 0;
  const connection = {
    generation: 0,
    send: async () => {
      if (outflow.rung.codec !== 'zstd' || ++sent === RECORDS * ROUNDS_MAX) over.abort();
      else if (sent % RECORDS === RECORDS / 2) await more();
    },
  } as unknown as Connection;
  const more = async (): Promise<void> => {
    for (let record = 0; record < RECORDS; record++) {
      await journal.assign(text(), {});
    }
    await journal.flush();
  };
  await more();
  const outflow = new Outflow({
    journal,
    connection,
    reduction: { outliner, indexer: new Indexer(journal, outliner) },
    plan: { codec: 'zstd', level: 3, windowLog: 20 },
    ladder: LADDER,
    waits: false,
    history: new History(),
    stages: new Stages(),
    historyBytes: 0,
    historyFrom: 1,
    held: () => 0,
    onSent: () => {},
  });
  await outflow.run(1, over.signal).catch((error: unknown) => {
    if (!over.signal.aborted) throw error;
  });
  expect(['none', 'lz4']).toContain(outflow.rung.codec);
});
