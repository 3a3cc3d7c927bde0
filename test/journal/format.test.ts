import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checksum64 } from '../../src/engine/checksum.js';
import {
  CURSOR,
  CURSOR_MAGIC,
  CURSOR_SLOT_BYTES,
  CURSOR_SLOT_STRIDE,
  CURSOR_VERSION,
  cursorFileName,
  cursorNameOf,
} from '../../src/journal/cursor-format.js';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  FORMAT_VERSION,
  firstOfName,
  RECORD,
  RECORD_HEADER_BYTES,
  RECORD_MAGIC,
  SEGMENT,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
  segmentName,
} from '../../src/journal/format.js';
import { recordBytes } from '../../src/journal/record.js';
import { VOLUME } from './harness.js';

const document = readFileSync(new URL('../../docs/journal-format.md', import.meta.url), 'utf8');

/** The rows of the offset table under a heading. */
function table(heading: string): { offset: number; size: number; field: string; meaning: string }[] {
  const section = document.split(`### ${heading}\n`)[1]?.split('\n#')[0] ?? '';
  return [...section.matchAll(/^\| (\d+) \| (\d+) \| `(\w+)` \| (.*) \|$/gm)].map(
    ([, offset, size, field = '', meaning = '']) => ({ offset: Number(offset), size: Number(size), field, meaning }),
  );
}

function magicText(magic: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(magic);
  return bytes.toString('latin1');
}

describe('the document and the code agree on', () => {
  test.each([
    ['Segment header', SEGMENT, SEGMENT_HEADER_BYTES, SEGMENT_MAGIC, FORMAT_VERSION],
    ['Record', RECORD, RECORD_HEADER_BYTES, RECORD_MAGIC, undefined],
    ['Cursor slot', CURSOR, CURSOR_SLOT_BYTES, CURSOR_MAGIC, CURSOR_VERSION],
  ])('%s', (heading, layout, bytes, magic, version) => {
    const rows = table(heading);
    expect(Object.fromEntries(rows.map((row) => [row.field, row.offset]))).toEqual(layout);
    let end = 0;
    for (const row of rows) {
      expect(row.offset, row.field).toBe(end);
      end += row.size;
    }
    expect(end).toBe(bytes);
    expect(rows[0]?.meaning).toBe(`\`${magicText(magic)}\``);
    if (version !== undefined) expect(rows[1]?.meaning).toBe(String(version));
  });

  test('where cursor slots lie', () => {
    expect(document).toContain(`at byte 0 and at byte ${CURSOR_SLOT_STRIDE}`);
  });
});

test('checksum64 is XXH64', () => {
  expect(checksum64(new Uint8Array(0))).toBe(0xef46db3751d8e999n);
  expect(checksum64(Buffer.from('abc'))).toBe(0x44bc2cf5ad770999n);
});

test('records are aligned to 8 bytes', () => {
  expect([0, 1, 7, 8, 9].map((payload) => recordBytes(0, payload))).toEqual([80, 88, 88, 88, 96]);
  expect(recordBytes(3, 5)).toBe(88);
});

test('a segment header comes back as written, and no bit of it may change', () => {
  const header = { volume: VOLUME, first: 2 ** 40 + 7, chain: 2n ** 63n + 5n, epoch: 9, previousRecords: 77, salt: 1 };
  const { bytes, seed } = encodeSegmentHeader(header);
  expect(decodeSegmentHeader(bytes)).toEqual({ state: 'valid', header, seed });
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = Buffer.from(bytes);
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(decodeSegmentHeader(damaged)).toEqual({ state: 'bad' });
  }
});

test('segment names', () => {
  expect(segmentName(0x1234)).toBe('0000000000001234.log');
  expect(firstOfName('0000000000001234.log')).toBe(0x1234);
  for (const other of [
    '0000000000000000.log',
    'ffffffffffffffff.log',
    '0000000000001234.log.64.tail',
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
