import { expect } from 'vitest';
import type { JournalRecord, PayloadRange } from '../../src/journal/journal.js';
import { Decoder } from '../../src/reduce/decoder.js';
import { Encoder, type EncoderOptions } from '../../src/reduce/encoder.js';
import { History } from '../../src/reduce/history.js';
import { Outliner } from '../../src/reduce/outline.js';
import { Stages } from '../../src/reduce/stages.js';

/** Both ends of one generation, with one list of records between them. */
export function ends(options: Partial<EncoderOptions> = {}) {
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
  const encoder = new Encoder({ plan, stages: new Stages(), known, floor: () => 1, ...options });
  const decoder = new Decoder(new Stages(), { parts: readRanges, payloads: async () => Buffer.alloc(0) });
  /** Sends records, checks that they came back, and tells how many bytes of former ones they are made of. */
  const cross = async (batch: readonly JournalRecord[]) => {
    const restored = await decoder.decode(Buffer.concat(await encoder.encode(batch)));
    for (const [index, { payload }] of restored.records.entries())
      expect(payload.equals((batch[index] as JournalRecord).payload)).toBe(true);
    return restored.bases.reduce((sum, { length }) => sum + length, 0);
  };
  return { add, cross };
}
