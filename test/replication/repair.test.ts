import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Journal, JournalDamagedError } from '../../src/index.js';
import { flipBit, recordsOf, segmentFiles } from '../journal/harness.js';
import { logged, openReceiver, openSender, peer } from '../support/nodes.js';
import { newDirectory } from '../support/temp.js';

/** Queue and receive log hold the same records under the same chain, so each can be repaired from a copy of the other. */

const RECORDS = 40;

const payloadOf = (index: number): Buffer => Buffer.alloc(9000, index);

/** A queue and a receive log of several segments, both closed. */
async function twins(): Promise<{ sender: string; receiver: string; queue: string; log: string }> {
  const [sender, receiver] = [newDirectory(), newDirectory()];
  const segmentBytes = 64 * 1024;
  const passive = await openReceiver({ dir: receiver, segmentBytes });
  const active = await openSender({ dir: sender, segmentBytes, peers: [peer(passive.port)] });
  for (let index = 1; index <= RECORDS; index++) await active.append(payloadOf(index), { ack: 'logged' });
  await active.close();
  await passive.close();
  return { sender, receiver, queue: join(sender, 'queue'), log: join(receiver, 'log') };
}

/** Damages a record in the middle of the second segment; returns what an open or a scrub says of it. */
async function damage(dir: string): Promise<{ from: number; to: number }> {
  const [, second = ''] = segmentFiles(dir);
  flipBit(second, (recordsOf(second)[3]?.offset ?? 0) + 100);
  const journal = await Journal.open({ dir });
  const read = async () => {
    for await (const _record of journal.read(1));
  };
  const error = await read().catch((reason: unknown) => reason);
  await journal.close();
  if (!(error instanceof JournalDamagedError)) throw error;
  return { from: error.fromSequence, to: error.toSequence };
}

test.each(['queue', 'log'] as const)('a damaged %s is repaired from a copy of the other', async (which) => {
  const { sender, receiver, ...dirs } = await twins();
  const dir = dirs[which];
  const { from, to } = await damage(dir);
  const [, second = ''] = segmentFiles(dir);
  const damaged = readFileSync(second);

  const copy = newDirectory();
  cpSync(which === 'queue' ? dirs.log : dirs.queue, copy, { recursive: true });
  const twin = await Journal.openReadOnly({ dir: copy });
  const report = await Journal.repair({ dir, from, to, source: (first) => twin.read(first) });
  await twin.close();
  expect(report).toMatchObject({ segments: [second], kept: [`${second}.damaged`] });
  expect(readFileSync(`${second}.damaged`).equals(damaged)).toBe(true);

  const journal = await Journal.open({ dir });
  expect((await journal.scrub()).damage).toEqual([]);
  await journal.close();
  const passive = await openReceiver({ dir: receiver });
  const active = await openSender({ dir: sender, peers: [peer(passive.port)] });
  await active.append(payloadOf(RECORDS + 1), { ack: 'logged' });
  const records = await logged(passive);
  expect(records.map(({ payload }, index) => payload.equals(payloadOf(index + 1)))).toEqual(
    Array.from({ length: RECORDS + 1 }, () => true),
  );
});
