import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { encodeEnd } from '../../src/channel/end.js';
import { encodeJoin } from '../../src/channel/join.js';
import { laneOf } from '../../src/channel/lanes.js';
import {
  encodeAck,
  encodeHello,
  encodeMiss,
  encodeRefusal,
  encodeStart,
  encodeWelcome,
  FrameType,
  LOST_RANGES_MAX,
} from '../../src/channel/messages.js';
import { isRefusal, VERDICTS } from '../../src/channel/verdict.js';
import { encodeWindow } from '../../src/channel/window.js';
import type { JournalRecord } from '../../src/index.js';
import { MIB } from '../../src/options.js';
import {
  BASE_BYTES_MAX,
  BASES_MAX,
  BATCH_BYTES_MAX,
  BATCH_PAYLOAD_BYTES_MAX,
  BATCH_RECORDS_MAX,
  encodeBatch,
} from '../../src/reduce/batch.js';
import { BODY_HEADER_BYTES, CODEC_LZ4, CODEC_NONE, CODEC_ZSTD, CODEC_ZSTD_FIRST } from '../../src/reduce/body.js';
import { OperationKind } from '../../src/volume/operation.js';
import { tables } from './tables.js';

/** docs/protocol.md says what the code does. */

const doc = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
const found = tables(doc);

/** The table under a heading, or the one whose columns are these. */
function table(heading: string, nth = 0) {
  const match = found.filter((one) => one.heading === heading)[nth];
  if (match === undefined) throw new Error(`no table ${nth} under ${heading}`);
  return match.rows;
}

test('frame types', () => {
  const said = Object.fromEntries(table('Messages').map(({ type, name }) => [name?.toLowerCase(), Number(type)]));
  expect(said).toEqual(FrameType);
  for (const { type, kind } of table('Messages')) expect(kind).toBe(laneOf(Number(type)) ?? 'connection');
});

test('record kinds', () => {
  const said = Object.fromEntries(table('Records of a volume').map(({ kind, operation }) => [operation, Number(kind)]));
  expect(said).toEqual(OperationKind);
});

const SITUATION = {
  version: 'version',
  volume: 'volume',
  epoch: 'epoch',
  newest: 'newest',
  chain: 'chain',
  acknowledged: 'acknowledged',
  history: 'history',
  holdsContent: 'content',
  adopt: 'adopt',
} as const;

test('every row of the verdict', () => {
  const word = (value: unknown): string => (value === true ? 'yes' : value === false ? 'no' : String(value));
  const expected = VERDICTS.map(({ label, when, verdict }) => ({
    ...Object.fromEntries(
      Object.entries(SITUATION).map(([field, column]) => {
        const values: readonly unknown[] = when[field as keyof typeof SITUATION] ?? [];
        return [column, values.map(word).join(', ')];
      }),
    ),
    verdict: isRefusal(verdict) ? `refuse, \`${verdict}\`` : verdict,
    because: label,
  }));
  expect(table('The verdict')).toEqual(expected);
});

/** The least that each message can be, which is where the offsets of the tables end. */
const LEAST: Record<string, Buffer> = {
  HELLO: encodeHello({
    versionMin: 1,
    versionMax: 1,
    node: '0'.repeat(32),
    volume: '0'.repeat(32),
    epoch: 1,
    last: 0,
    adopt: false,
  }),
  WELCOME: encodeWelcome({
    version: 1,
    node: '0'.repeat(32),
    epoch: 1,
    first: 1,
    historyBytes: 0,
    last: 0,
    chain: 0n,
    applied: 0,
    adopt: false,
    holdsContent: false,
    restores: { lz4: false, zstd: false, windowLogMax: 0 },
    session: 1n,
    token: Buffer.alloc(16),
    windowBytes: 0,
  }),
  'REFUSE and NOTICE': encodeRefusal({ code: '', message: '', recoverable: false }),
  START: encodeStart({ from: 1, chain: 0n, reset: false, windowBytes: 0 }),
  END: encodeEnd({ dataFrames: 0, controlFrames: 0 }),
  JOIN: encodeJoin({ session: 1n, token: Buffer.alloc(16), path: 0, spare: false }),
  ACK: encodeAck({ logged: 0, applied: 0 }),
};

test.each(Object.entries(LEAST))('the offsets of %s', (heading, body) => {
  const last = table(heading).at(-1);
  // Each of these ends with a field of one byte.
  expect(Number.parseInt(last?.offset ?? '', 10) + 1).toBe(body.byteLength);
});

test('the offsets of MISS', () => {
  // What comes last is not there when nothing is said to be lost.
  const { offset = '' } = table('MISS').at(-1) ?? {};
  expect(Number.parseInt(offset, 10)).toBe(encodeMiss({ generation: 0, next: 1, lost: [] }).byteLength);
});

test('the offsets of WINDOW', () => {
  // As are its ranges when nothing has arrived out of order.
  const { offset = '' } = table('WINDOW').at(-1) ?? {};
  const least = encodeWindow({ dataNext: 0, controlNext: 0, creditBytes: 0, arrived: [] });
  expect(Number.parseInt(offset, 10)).toBe(least.byteLength);
});

test('codecs and the head of a batch', () => {
  const [codec, , , batch] = table('BATCH');
  expect(codec?.meaning).toBe(
    `${CODEC_NONE} as it is, ${CODEC_LZ4} LZ4, ${CODEC_ZSTD} zstd, ${CODEC_ZSTD_FIRST} zstd, the first of a frame`,
  );
  expect(Number(batch?.offset)).toBe(BODY_HEADER_BYTES);
});

function recordOf(fields: Partial<JournalRecord>): JournalRecord {
  return { sequence: 1, epoch: 0, kind: 0, timestamp: 0, payload: Buffer.alloc(0), checksum: 0n, chain: 0n, ...fields };
}

const batchOf = (...records: JournalRecord[]): Buffer => Buffer.concat(encodeBatch(records, 1));
const columns = table('The batch');
const offsetOf = (name: string): number =>
  Number.parseInt(columns.find(({ column }) => column === name)?.offset ?? '', 10);

test('the columns of a batch', () => {
  // Of a single record without key, offset, base or content, its epoch that of the first record without one.
  const body = batchOf(recordOf({ kind: 77, timestamp: 5, chain: 0x1234n }));
  expect(body.readBigUInt64LE(offsetOf('chain'))).toBe(0x1234n);
  expect(body.readUInt8(offsetOf('behind'))).toBe(1);
  expect(body.readUInt8(offsetOf('kinds'))).toBe(77);
  expect(
    columns
      .map(({ column }) => column)
      .slice(0, 8)
      .join(' '),
  ).toBe('first count chain behind flags kinds epochs times');
});

/** What a record's flags are behind another one, as their names in the table. */
const SETS: [string, Partial<JournalRecord>, Partial<JournalRecord>][] = [
  ['', {}, {}],
  ['newEpoch', {}, { epoch: 1 }],
  ['absoluteTime', {}, { timestamp: 2 ** 52 }],
  ['key', { key: Buffer.from('a') }, { key: Buffer.from('b') }],
  ['key sameKey', { key: Buffer.from('a') }, { key: Buffer.from('a') }],
  ['offset', {}, { offset: 7 }],
  ['offset wideOffset', {}, { offset: 8192 }],
  ['offset absoluteOffset', {}, { offset: 2 ** 52 }],
];

test.each(SETS)('the flags of a record: %s', (names, before, record) => {
  const [, flags] = batchOf(recordOf(before), recordOf({ ...record, sequence: 2 })).subarray(offsetOf('flags'));
  expect(flags).toBe(flagsOf(names));
});

test('the flag of a record with references', () => {
  const record = recordOf({ payload: Buffer.from('abc'), sequence: 2 });
  const references = { bases: [{ sequence: 1, offset: 0, length: 3 }], copies: [[{ start: 0, from: 0, length: 3 }]] };
  const flags = Buffer.concat(encodeBatch([record], 1, references))[offsetOf('flags')];
  expect(flags).toBe(flagsOf('references newEpoch absoluteTime'));
});

function flagsOf(names: string): number {
  const flags = table('The batch', 1);
  const wanted = names.split(' ').filter((name) => name !== '');
  return wanted.reduce((sum, wantedName) => sum + Number(flags.find(({ name }) => name === wantedName)?.flag), 0);
}

test('the bounds of a batch', () => {
  expect(doc).toContain(`1 to ${BATCH_RECORDS_MAX} (\`BATCH_RECORDS_MAX\`)`);
  expect(doc).toContain(`at most ${BASES_MAX} (\`BASES_MAX\`)`);
  expect(doc).toContain(`${BASE_BYTES_MAX / MIB} MiB in all at most (\`BASE_BYTES_MAX\`)`);
  expect(doc).toContain(`at most ${BATCH_PAYLOAD_BYTES_MAX / MIB} MiB (\`BATCH_PAYLOAD_BYTES_MAX\`)`);
  expect(doc).toContain(`at most ${Math.floor(BATCH_BYTES_MAX / MIB)} MiB and a little (\`BATCH_BYTES_MAX\`)`);
  expect(doc).toContain(`at most ${LOST_RANGES_MAX} (\`LOST_RANGES_MAX\`)`);
});
