import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checksum64 } from '../../src/engine/checksum.js';
import { kernels } from '../../src/engine/engine.js';
import {
  CANONICAL_BYTES,
  CHECK_STATE_FIELDS,
  NO_KEY,
  RECORD,
  RECORD_HEADER_BYTES,
  recordBytes,
} from '../../src/engine/record-layout.js';
import {
  CURSOR,
  CURSOR_MAGIC,
  CURSOR_SLOT_BYTES,
  CURSOR_SLOT_STRIDE,
  CURSOR_VERSION,
  cursorFileName,
  cursorNameOf,
  decodeCursor,
  encodeSlot,
} from '../../src/journal/format/cursor-format.js';
import {
  decodeFooter,
  encodeFooter,
  FOOTER,
  FOOTER_BYTES,
  FOOTER_MAGIC,
  footerBytesMax,
  PLACE,
  PLACE_BYTES,
} from '../../src/journal/format/footer.js';
import {
  DATA_START,
  decodeGroupHeader,
  decodeSegmentHeader,
  encodeSegmentHeader,
  FORMAT_VERSION,
  firstOfName,
  GROUP,
  GROUP_HEADER_BYTES,
  GROUP_MAGIC,
  PAGE_BYTES,
  roundUp,
  SEGMENT,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
  segmentName,
} from '../../src/journal/format/format.js';
import { INDEX_STRIDE_BYTES } from '../../src/journal/format/segment.js';
import {
  decodeSide,
  encodeSideHeader,
  SIDE,
  SIDE_CONTENT_BYTES_MAX,
  SIDE_HEADER_BYTES,
  SIDE_MAGIC,
  SIDE_VERSION,
  segmentOfSide,
} from '../../src/journal/format/side-format.js';
import { RECOVERY_TABLE, type RecoveryRow } from '../../src/journal/recovery/table.js';
import { decodeTruncation, encodeTruncation } from '../../src/journal/recovery/truncation.js';
import { KEY_BYTES_MAX, PAYLOAD_BYTES_MAX } from '../../src/options.js';
import { tables } from '../docs/tables.js';
import { craftSegment } from './craft.js';
import { VOLUME } from './harness.js';

const document = readFileSync(new URL('../../docs/journal-format.md', import.meta.url), 'utf8');
const prose = document.replaceAll('\n', ' ').replace(/ +/g, ' ');
const found = tables(document);

function rowsOf(heading: string): Record<string, string>[] {
  const rows = found.find((table) => table.heading === heading)?.rows;
  if (rows === undefined) throw new Error(`no table under ${heading}`);
  return rows;
}

interface Field {
  offset: number;
  size: number;
  field: string;
  meaning: string;
}

function fieldsOf(heading: string): Field[] {
  return rowsOf(heading).map(({ offset, size, field = '', meaning = '' }) => {
    return { offset: Number(offset), size: Number(size), field: field.replaceAll('`', ''), meaning };
  });
}

function expectContiguous(fields: readonly Field[], from: number, to: number): void {
  let end = from;
  for (const { offset, size, field } of fields) {
    expect(offset, field).toBe(end);
    end += size;
  }
  expect(end).toBe(to);
}

function magicText(magic: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(magic);
  return bytes.toString('latin1');
}

/** Every copy of the bytes in which one bit differs. */
function* flipped(bytes: Uint8Array): Generator<Buffer> {
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = Buffer.from(bytes);
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    yield damaged;
  }
}

describe('the document and the code agree on', () => {
  test.each([
    ['Segment header', SEGMENT, SEGMENT_HEADER_BYTES],
    ['Group header', GROUP, GROUP_HEADER_BYTES],
    ['Record', RECORD, RECORD_HEADER_BYTES],
    ['Index place', PLACE, PLACE_BYTES],
    ['Footer trailer', FOOTER, FOOTER_BYTES],
    ['Cursor slot', CURSOR, CURSOR_SLOT_BYTES],
    ['Side header', SIDE, SIDE_HEADER_BYTES],
  ])('%s', (heading, layout, bytes) => {
    const fields = fieldsOf(heading);
    expect(Object.fromEntries(fields.map(({ field, offset }) => [field, offset]))).toEqual(layout);
    expectContiguous(fields, 0, bytes);
  });

  test.each([
    ['Segment header', SEGMENT_MAGIC, FORMAT_VERSION],
    ['Group header', GROUP_MAGIC, undefined],
    ['Footer trailer', FOOTER_MAGIC, undefined],
    ['Cursor slot', CURSOR_MAGIC, CURSOR_VERSION],
    ['Side header', SIDE_MAGIC, SIDE_VERSION],
  ])('magic and version of %s', (heading, magic, version) => {
    const meanings = new Map(fieldsOf(heading).map(({ field, meaning }) => [field, meaning]));
    expect(meanings.get('magic')).toBe(`\`${magicText(magic)}\``);
    expect(meanings.get('version')).toBe(version === undefined ? undefined : String(version));
  });

  test.each([
    ['Segment header', SEGMENT.checksum],
    ['Group header', GROUP.checksum],
    ['Record', RECORD.headerChecksum],
    ['Footer trailer', FOOTER.checksum],
    ['Cursor slot', CURSOR.checksum],
    ['Side header', SIDE.checksum],
  ])('what the checksum of %s covers', (heading, offset) => {
    const last = fieldsOf(heading).at(-1);
    expect(last?.offset).toBe(offset);
    expect(last?.meaning).toContain(`over bytes 0 to ${offset - 1}`);
  });

  test('the fields of a truncation', () => {
    const header = {
      volume: VOLUME,
      first: 5,
      chain: 9n,
      epoch: 1,
      previousRecords: 4,
      salt: 3,
      recycled: false,
    };
    const decision = { header, sequence: 0x11, chain: 0x22n, cutOffset: 0x33, cutEnd: 0x44 };
    const bytes = encodeTruncation(decision);
    const fields = fieldsOf('Truncation fields');
    expectContiguous(fields, SEGMENT_HEADER_BYTES, bytes.length);
    const stored = Object.fromEntries(fields.map(({ field, offset }) => [field, bytes.readBigUInt64LE(offset)]));
    const { seed } = encodeSegmentHeader(header);
    const checksum = checksum64(bytes.subarray(64, 96), seed);
    expect(stored).toEqual({ sequence: 0x11n, chain: 0x22n, cutOffset: 0x33n, cutEnd: 0x44n, checksum });
    for (const damaged of flipped(bytes)) expect(decodeTruncation(damaged)).toBeUndefined();
  });

  test('sizes, places and limits', () => {
    for (const said of [
      `Version ${FORMAT_VERSION}.`,
      `A page is ${PAGE_BYTES} bytes; the first group starts at byte ${DATA_START}.`,
      `A header of ${RECORD_HEADER_BYTES} bytes, the key, the payload`,
      `The canonical record is bytes 0 to ${CANONICAL_BYTES - 1} of the header.`,
      `that starts at least ${INDEX_STRIDE_BYTES} bytes behind`,
      `Two slots, at byte 0 and at byte ${CURSOR_SLOT_STRIDE}`,
    ]) {
      expect(prose).toContain(said);
    }
    const meanings = new Map(fieldsOf('Record').map(({ field, meaning }) => [field, meaning]));
    expect(meanings.get('payloadLength')).toBe(`at most ${PAYLOAD_BYTES_MAX}`);
    expect(fieldsOf('Side header').find(({ field }) => field === 'length')?.meaning).toContain(
      `at most ${SIDE_CONTENT_BYTES_MAX}`,
    );
    expect(meanings.get('keyLength')).toContain(`at most ${KEY_BYTES_MAX}; ${NO_KEY} when there is no key`);
  });

  test('the room that a footer gets', () => {
    const [, fixed, each, stride, more] =
      /(\d+) \+ (\d+) × \(⌈`segmentBytes` \/ (\d+)⌉ \+ (\d+)\) bytes/.exec(prose)?.map(Number) ?? [];
    for (const bytes of [64 * 1024, 1024 * 1024, 100 * 1024 * 1024, 1024 ** 3]) {
      const places = Math.ceil(bytes / (stride ?? 0)) + (more ?? 0);
      expect(footerBytesMax(bytes)).toBe(roundUp((fixed ?? 0) + (each ?? 0) * places, PAGE_BYTES));
    }
  });

  test('the recovery table', () => {
    expect(rowsOf('Recovery')).toEqual(RECOVERY_TABLE.map(documented));
  });
});

/** A row of the recovery table as the document writes it. */
function documented({ label, when, records, action }: RecoveryRow): Record<string, string> {
  const { segment, header, last, covered, validAfter, footer, ...other } = when;
  expect(other).toEqual({});
  const cells = { segment, header, last, covered, validAfter, footer };
  const texts = Object.entries(cells).map(([name, values = []]) => [name, values.join(' or ')]);
  return { row: label, ...Object.fromEntries(texts), records: records ?? '', action };
}

test('checksum64 is XXH64', () => {
  expect(checksum64(new Uint8Array(0))).toBe(0xef46db3751d8e999n);
  expect(checksum64(Buffer.from('abc'))).toBe(0x44bc2cf5ad770999n);
});

test('records are aligned to 8 bytes', () => {
  expect([0, 1, 7, 8, 9].map((payload) => recordBytes(0, payload))).toEqual([64, 72, 72, 72, 80]);
  expect(recordBytes(3, 5)).toBe(72);
});

describe('what is written comes back, and no bit of it may change:', () => {
  const crafted = craftSegment([
    [{ payload: Buffer.from('one') }],
    [{ payload: Buffer.from('two'), key: Buffer.from('key'), offset: 7, kind: 9 }, { payload: Buffer.alloc(0) }],
  ]);
  const { seed } = crafted;
  const [, start = 0] = crafted.offsets;

  test('a segment header', () => {
    const header = {
      volume: VOLUME,
      first: 2 ** 40 + 7,
      chain: 2n ** 63n + 5n,
      epoch: 9,
      previousRecords: 77,
      salt: 1,
      recycled: true,
    };
    const encoded = encodeSegmentHeader(header);
    expect(decodeSegmentHeader(encoded.bytes)).toEqual({ state: 'valid', header, seed: encoded.seed });
    for (const damaged of flipped(encoded.bytes)) expect(decodeSegmentHeader(damaged)).toEqual({ state: 'bad' });
  });

  test('a group header', () => {
    const bytes = crafted.bytes.subarray(start, start + GROUP_HEADER_BYTES);
    const decoded = decodeGroupHeader(bytes, 0, seed);
    expect(decoded).toMatchObject({ bytes: crafted.bytes.length - start, first: 2, records: 2, durableThrough: 1 });
    for (const damaged of flipped(bytes)) expect(decodeGroupHeader(damaged, 0, seed)).toBeUndefined();
    expect(decodeGroupHeader(bytes, 0, seed ^ 1n)).toBeUndefined();
  });

  test('a record', () => {
    const at = start + GROUP_HEADER_BYTES;
    const content = RECORD_HEADER_BYTES + 'key'.length + 'two'.length;
    const bytes = crafted.bytes.subarray(at, at + content);
    const before = decodeGroupHeader(crafted.bytes, start, seed)?.chain ?? 0n;
    const check = (content: Buffer, from: bigint) => {
      const record = Buffer.concat([content, Buffer.alloc(roundUp(content.length, 8) - content.length)]);
      const state = new BigUint64Array(CHECK_STATE_FIELDS);
      state.set([from, before, 2n, 0n, 0n]);
      return kernels.checkRecords(record, 0, record.length, state, new Float64Array(2));
    };
    expect(check(bytes, seed)).toBe(1);
    for (const damaged of flipped(bytes)) expect(check(damaged, seed)).toBe(0);
    expect(check(bytes, seed ^ 1n)).toBe(0);
  });

  test('a footer', () => {
    const index = [
      { sequence: 5, offset: DATA_START, timestamp: 1 },
      { sequence: 9, offset: DATA_START + INDEX_STRIDE_BYTES, timestamp: 2 },
    ];
    const footer = { first: 5, last: 12, chain: 2n ** 63n + 1n, epoch: 3, end: 2 ** 20, lastTimestamp: 4, index };
    const bytes = encodeFooter(footer, seed);
    expect(decodeFooter(bytes, seed)).toEqual(footer);
    for (const damaged of flipped(bytes)) expect(decodeFooter(damaged, seed)).toBeUndefined();
    expect(decodeFooter(bytes, seed ^ 1n)).toBeUndefined();
  });

  test('a cursor slot', () => {
    const slot = { counter: 4, sequence: 77, chain: 2n ** 63n + 1n, detached: true };
    const bytes = encodeSlot(slot);
    expect(decodeCursor(bytes)).toEqual(slot);
    for (const damaged of flipped(bytes)) expect(decodeCursor(damaged)).toBeUndefined();
  });
});

test('a side file is that of one segment, and no bit of it may change', () => {
  const segment = { seed: 2n ** 63n + 3n, first: 2 ** 40, last: 2 ** 40 + 9, chain: 2n ** 63n + 1n };
  const content = Buffer.from('what is known');
  const bytes = Buffer.concat([encodeSideHeader(segment, content), content]);
  expect(decodeSide(bytes, segment)).toEqual(content);
  for (const damaged of flipped(bytes)) expect(decodeSide(damaged, segment)).toBeUndefined();
  for (let end = 0; end < bytes.length; end++) expect(decodeSide(bytes.subarray(0, end), segment)).toBeUndefined();
  for (const other of [{ seed: 1n }, { first: 2 ** 40 - 1 }, { last: 2 ** 40 + 8 }, { chain: 1n }]) {
    expect(decodeSide(bytes, { ...segment, ...other })).toBeUndefined();
  }
  const ofContent = checksum64(content, segment.seed);
  const checksum = checksum64(bytes.subarray(0, SIDE.checksum), ofContent);
  expect(bytes.readBigUInt64LE(SIDE.checksum)).toBe(checksum);
});

test('names of side files', () => {
  expect(segmentOfSide('0000000000001234.log.idx')).toBe('0000000000001234.log');
  expect(segmentOfSide('0000000000001234.log.idx.tmp')).toBe('0000000000001234.log');
  for (const other of ['0000000000001234.log', '0000000000001234.log.idx.old', '1.log.idx', 'lock', '']) {
    expect(firstOfName(segmentOfSide(other) ?? '')).toBeUndefined();
  }
});

test('segment names', () => {
  expect(segmentName(0x1234)).toBe('0000000000001234.log');
  expect(firstOfName('0000000000001234.log')).toBe(0x1234);
  for (const other of [
    '0000000000000000.log',
    'ffffffffffffffff.log',
    '0000000000001234.log.64.tail',
    '0000000000001234.log.repair',
    '0000000000001234.log.idx',
    '000000000000ABCD.log',
    '1.spare',
    'lock',
    '1.log',
  ]) {
    expect(firstOfName(other)).toBeUndefined();
  }
});

test('every cursor name has a file name of its own that is safe and short enough', () => {
  expect(cursorFileName('peer-1_a')).toBe('peer-1_a.cursor');
  expect(cursorFileName('../Ä')).toBe('%2e%2e%2f%c3%84.cursor');
  const name = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 128 })
    .filter((text) => Buffer.byteLength(text) <= 128);
  fc.assert(
    fc.property(name, (text) => {
      const file = cursorFileName(text);
      expect(file).toMatch(/^[a-z0-9_%=-]+\.cursor$/);
      expect(file.length + '.tmp'.length).toBeLessThanOrEqual(255);
      expect(cursorNameOf(file)).toBe(text);
    }),
  );
  expect(cursorNameOf(cursorFileName('\0'.repeat(128)))).toBe('\0'.repeat(128));
  expect(cursorNameOf('%zz.cursor')).toBeUndefined();
  expect(cursorNameOf('peer.cursor.tmp')).toBeUndefined();
});
