import assert from 'node:assert/strict';
import {
  BASE_BYTES_MAX,
  BASES_MAX,
  BATCH_PAYLOAD_BYTES_MAX,
  BATCH_RECORDS_MAX,
  type BatchRecord,
  type ReadBatch,
  readBatch,
} from '../src/reduce/batch.js';
import { restoreRecords } from '../src/reduce/restore.js';
import { basesOf, encoded, hostileBatch, randomBatch } from './random-batch.js';
import { soon, unlessRefused } from './soon.js';
import type { FuzzTarget } from './target.js';

/** Hostile input is at most so long, and may take so long. */
const INPUT_BYTES_MAX = 64 * 1024;
const MILLISECONDS_MAX = 200;

/** What was encoded comes back, references and all. */
export const batchRoundTrip: FuzzTarget = {
  name: 'batch-round-trip',
  run(random) {
    const given = randomBatch(random);
    const batch = readBatch(encoded(given));
    assert.equal(batch.chain, given.records[given.records.length - 1]?.chain);
    assert.equal(batch.floor, given.floor);
    assert.deepEqual(batch.bases, given.references.bases);
    assertWithinBounds(batch);
    const known = basesOf(batch);
    assert.ok(known !== undefined);
    const expected = given.records.map(({ checksum: _, chain: __, ...record }) => record);
    assert.deepEqual(restoreRecords(batch, known), expected);
  },
};

/** A batch that says anything at all gives records within the bounds or ProtocolError, and soon. */
export const batchHostile: FuzzTarget = {
  name: 'batch-hostile',
  async run(random) {
    const bytes = hostileBatch(random).subarray(0, INPUT_BYTES_MAX);
    await soon(MILLISECONDS_MAX, () => {
      const batch = unlessRefused(() => readBatch(bytes));
      if (batch === undefined) return;
      assertWithinBounds(batch);
      // Elsewhere an end that does not hold a base says so, and reads no further.
      const known = basesOf(batch);
      const records = known === undefined ? undefined : unlessRefused(() => restoreRecords(batch, known));
      if (records !== undefined) assertRestored(records, batch);
    });
  },
};

function assertWithinBounds({ headers, floor, bases, payloadBytes }: ReadBatch): void {
  assert.ok(headers.length >= 1 && headers.length <= BATCH_RECORDS_MAX);
  assert.ok(payloadBytes <= BATCH_PAYLOAD_BYTES_MAX);
  assert.ok(Number.isSafeInteger(floor), `floor ${floor}`);
  const first = headers[0]?.sequence ?? 0;
  for (const [index, { sequence, epoch, timestamp, offset = 0 }] of headers.entries()) {
    assert.equal(sequence, first + index);
    for (const number of [sequence, epoch, timestamp, offset]) assert.ok(Number.isSafeInteger(number) && number >= 0);
  }
  assert.ok(bases.length <= BASES_MAX);
  assert.ok(bases.reduce((sum, { length }) => sum + length, 0) <= BASE_BYTES_MAX);
  for (const { sequence, offset, length } of bases) assert.ok(sequence >= 1 && offset >= 0 && length >= 1);
}

function assertRestored(records: readonly BatchRecord[], { headers, payloadBytes }: ReadBatch): void {
  assert.equal(records.length, headers.length);
  for (const [index, { payload }] of records.entries()) assert.equal(payload.byteLength, headers[index]?.payloadLength);
  assert.equal(
    records.reduce((sum, { payload }) => sum + payload.byteLength, 0),
    payloadBytes,
  );
}
