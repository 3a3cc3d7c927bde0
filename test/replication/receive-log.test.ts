import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { Journal, type JournalRecord } from '../../src/journal/journal.js';
import { ReceiveLog } from '../../src/replication/receive-log.js';
import { atEnd, newDirectory } from '../support/temp.js';

async function openJournal(): Promise<Journal> {
  const journal = await Journal.open({ dir: newDirectory() });
  atEnd(() => journal.close());
  return journal;
}

test('what a record says that is not logged yet is copied, as its own memory is used again', async () => {
  const origin = await openJournal();
  const payload = randomBytes(100_000);
  await origin.append(payload);
  const records: JournalRecord[] = [];
  for await (const record of origin.read(1)) records.push(record);
  const hooks = { onApplied: () => {}, onStall: () => {} };
  const log = await ReceiveLog.open(
    newDirectory(),
    await openJournal(),
    { queueBytesMax: 2 ** 30, historyBytes: 0 },
    hooks,
  );
  const logging = log.append({ records, chain: origin.lastChain, floor: 1 });
  const parts = log.parts([
    { sequence: 1, offset: 0, length: payload.byteLength },
    { sequence: 1, offset: 10, length: 1000 },
  ]);
  await logging;
  const [whole, part] = await parts;
  records[0]?.payload.fill(0);
  expect(whole?.equals(payload)).toBe(true);
  expect(part?.equals(payload.subarray(10, 1010))).toBe(true);
});
