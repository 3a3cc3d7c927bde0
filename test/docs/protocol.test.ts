import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  encodeAck,
  encodeHello,
  encodeRefusal,
  encodeStart,
  encodeWelcome,
  FrameType,
} from '../../src/channel/messages.js';
import { VERDICTS } from '../../src/channel/verdict.js';
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
});

test('record kinds', () => {
  const said = Object.fromEntries(table('Records of a volume').map(({ kind, operation }) => [operation, Number(kind)]));
  expect(said).toEqual(OperationKind);
});

const SITUATION = {
  volume: 'volume',
  newest: 'newest',
  chain: 'chain',
  acknowledged: 'acknowledged',
  holdsContent: 'content',
  adopt: 'adopt',
} as const;

test('every row of the verdict', () => {
  const word = (value: unknown): string => (value === true ? 'yes' : value === false ? 'no' : String(value));
  const expected = VERDICTS.map(({ label, when, action, code }) => ({
    ...Object.fromEntries(
      Object.entries(SITUATION).map(([field, column]) => {
        const values: readonly unknown[] = when[field as keyof typeof SITUATION] ?? [];
        return [column, values.map(word).join(', ')];
      }),
    ),
    verdict: code === undefined ? action : `${action}, \`${code}\``,
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
  }),
  'REFUSE and NOTICE': encodeRefusal({ code: '', message: '', recoverable: false }),
  START: encodeStart({ from: 1, chain: 0n, reset: false }),
  ACK: encodeAck({ logged: 0, applied: 0 }),
};

test.each(Object.entries(LEAST))('the offsets of %s', (heading, body) => {
  const last = table(heading).at(-1);
  // Each of these ends with a field of one byte.
  expect(Number.parseInt(last?.offset ?? '', 10) + 1).toBe(body.byteLength);
});

test('codecs and the head of a batch', () => {
  const [codec, , batch] = table('BATCH');
  expect(codec?.meaning).toBe(
    `${CODEC_NONE} as it is, ${CODEC_LZ4} LZ4, ${CODEC_ZSTD} zstd, ${CODEC_ZSTD_FIRST} zstd, the first of a frame`,
  );
  expect(Number(batch?.offset)).toBe(BODY_HEADER_BYTES);
});
