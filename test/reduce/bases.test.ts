import { expect, test } from 'vitest';
import type { JournalRecord, PayloadRange } from '../../src/journal/journal.js';
import { PAYLOAD_BYTES_MAX } from '../../src/options.js';
import { BASE_BYTES_MAX } from '../../src/reduce/batch.js';
import { Decoder } from '../../src/reduce/decoder.js';
import { Encoder } from '../../src/reduce/encoder.js';
import { History } from '../../src/reduce/history.js';
import { Outliner } from '../../src/reduce/outline.js';
import { Stages } from '../../src/reduce/stages.js';
import { contentOf } from '../support/files.js';

const BLOCK_BYTES = 4096;

/** Both ends of one generation, with one list of records between them. */
function ends() {
  const records: JournalRecord[] = [];
  const add = (key: string, offset: number, payload: Buffer): JournalRecord => {
    const sequence = records.length + 1;
    const record = { epoch: 1, kind: 0, timestamp: 0, checksum: 0n, chain: 0n };
    records.push({ sequence, key: Buffer.from(key), offset, payload, ...record });
    return records[sequence - 1] as JournalRecord;
  };
  const readRanges = async (ranges: readonly PayloadRange[]) =>
    ranges.map(({ sequence, offset, length }) =>
      (records[sequence - 1] as JournalRecord).payload.subarray(offset, offset + length),
    );
  const known = { journal: { readRanges }, history: new History(), outliner: new Outliner(Buffer.alloc(32, 1)) };
  const plan = { codec: 'lz4', always: false } as const;
  const encoder = new Encoder({ plan, stages: new Stages(), known, floor: () => 1 });
  const decoder = new Decoder(new Stages(), { parts: readRanges, payloads: async () => Buffer.alloc(0) });
  const cross = async (batch: readonly JournalRecord[]) => {
    const restored = await decoder.decode(Buffer.concat(await encoder.encode(batch)));
    for (const [index, { payload }] of restored.records.entries())
      expect(payload.equals((batch[index] as JournalRecord).payload)).toBe(true);
    return restored.bases.reduce((sum, { length }) => sum + length, 0);
  };
  return { add, cross };
}

test('writes that replace more than a batch may refer to are sent, the last of them without references', async () => {
  const { add, cross } = ends();
  const large = contentOf(1, PAYLOAD_BYTES_MAX, false);
  await cross([add('large', 0, large)]);
  await cross([add('small', 0, Buffer.from(large.subarray(0, PAYLOAD_BYTES_MAX / 2)))]);
  const changed = Buffer.from(large);
  for (let at = 0; at < changed.byteLength; at += 4000) changed[at] = (changed[at] as number) ^ 7;
  // Each over the border of two blocks, both of which are its base.
  const borders = Array.from({ length: 4000 }, (_, index) => ((index % 2000) + 1) * BLOCK_BYTES - 100);
  const small = borders.map((offset) => add('small', offset, Buffer.from(changed.subarray(offset, offset + 200))));
  const bytes = await cross([...small, add('large', 0, changed)]);
  expect(bytes).toBeLessThanOrEqual(BASE_BYTES_MAX);
  expect(bytes).toBeGreaterThan(BASE_BYTES_MAX / 2);
});

test('the last chunk of a payload is no base of its own when it is a crumb', async () => {
  const { add, cross } = ends();
  const content = contentOf(3, 300_000, false);
  const { ends: cuts } = new Outliner(Buffer.alloc(32, 1)).of({ sequence: 1, payload: content });
  expect(cuts.length).toBeGreaterThan(5);
  for (const [index, cut] of cuts.slice(1, -1).entries()) {
    const payload = content.subarray(0, cut + 15);
    await cross([add(`old ${index}`, 0, payload)]);
    const changed = Buffer.from(payload);
    for (let at = 0; at < cut - 100; at += 1000) changed[at] = (changed[at] as number) ^ 1;
    await cross([add(`new ${index}`, 0, changed)]);
  }
});
