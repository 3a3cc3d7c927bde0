import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter, varintBytes } from '../../src/engine/bytes.js';
import { InvalidArgumentError, ProtocolError } from '../../src/errors.js';

test('every field comes back as it was', () => {
  const bytes = new ByteWriter(1)
    .u8(255)
    .u16(65_535)
    .u32(0xffff_ffff)
    .u64(0xffff_ffff_ffff_ffffn)
    .u64(Number.MAX_SAFE_INTEGER)
    .varint(300)
    .bytes(Buffer.from('body'))
    .raw(Buffer.from('raw'))
    .text('größer 🚢')
    .take();
  const reader = new ByteReader(bytes);
  expect(reader.u8()).toBe(255);
  expect(reader.u16()).toBe(65_535);
  expect(reader.u32()).toBe(0xffff_ffff);
  expect(reader.u64()).toBe(0xffff_ffff_ffff_ffffn);
  expect(reader.u64Number()).toBe(Number.MAX_SAFE_INTEGER);
  expect(reader.varint()).toBe(300);
  expect(reader.bytes(4).toString()).toBe('body');
  expect(reader.raw(3).toString()).toBe('raw');
  expect(reader.text(20)).toBe('größer 🚢');
  reader.end();
});

test('numbers are little endian', () => {
  const writer = new ByteWriter().u16(0x0102).u32(0x03040506).u64(0x0708_090a_0b0c_0d0en);
  expect(writer.take().toString('hex')).toBe('0201060504030e0d0c0b0a090807');
});

describe('varint', () => {
  test.each([
    [0, '00'],
    [127, '7f'],
    [128, '8001'],
    [16_383, 'ff7f'],
    [16_384, '808001'],
    [2 ** 31 - 1, 'ffffffff07'],
    [2 ** 31, '8080808008'],
    [2 ** 32, '8080808010'],
    [2 ** 49 - 1, 'ffffffffffff7f'],
    [2 ** 49, '8080808080808001'],
    [Number.MAX_SAFE_INTEGER, 'ffffffffffffff0f'],
  ])('%d is %s', (value, hex) => {
    const bytes = new ByteWriter().varint(value).take();
    expect(bytes.toString('hex')).toBe(hex);
    expect(varintBytes(value)).toBe(bytes.byteLength);
    expect(new ByteReader(bytes).varint()).toBe(value);
  });

  test.each([
    ['ffffffffffffff10', 'above 2^53'],
    ['ffffffffffffff7f', 'far above 2^53'],
    ['808080808080808001', 'nine bytes'],
    ['8000', 'padded'],
    ['80', 'cut short'],
    ['', 'absent'],
  ])('%s (%s) is refused', (hex) => {
    expect(() => new ByteReader(Buffer.from(hex, 'hex')).varint()).toThrow(ProtocolError);
  });

  test('over the stated maximum is refused', () => {
    expect(() => new ByteReader(Buffer.of(11)).varint(10)).toThrow(ProtocolError);
  });
});

describe('the reader refuses', () => {
  const cases: Array<[string, (reader: ByteReader) => unknown, string]> = [
    ['a u8 of nothing', (r) => r.u8(), ''],
    ['half a u16', (r) => r.u16(), '00'],
    ['part of a u32', (r) => r.u32(), '000000'],
    ['part of a u64', (r) => r.u64(), '00000000000000'],
    ['a u64 that is no safe integer', (r) => r.u64Number(), '0000000000002000'],
    ['bytes over their maximum', (r) => r.bytes(3), '0400000000'],
    ['bytes over what is left', (r) => r.bytes(1e9), '80808004'],
    ['raw bytes over what is left', (r) => r.raw(2), '00'],
    ['a negative count', (r) => r.raw(-1), '0000'],
    ['no count', (r) => r.raw(Number.NaN), '0000'],
    ['text that is not UTF-8', (r) => r.text(10), '02c328'],
    ['text over its maximum, in bytes', (r) => r.text(2), '03e282ac'],
    ['anything after the end', (r) => r.end(), '00'],
  ];
  test.each(cases)('%s', (_name, read, hex) => {
    const reader = new ByteReader(Buffer.from(hex, 'hex'), 'TEST');
    expect(() => read(reader)).toThrow(ProtocolError);
    expect(() => read(new ByteReader(Buffer.from(hex, 'hex'), 'TEST'))).toThrow(/TEST/);
  });
});

describe('the writer', () => {
  const cases: Array<[string, (writer: ByteWriter) => unknown]> = [
    ['u8 256', (w) => w.u8(256)],
    ['u8 -1', (w) => w.u8(-1)],
    ['u8 1.5', (w) => w.u8(1.5)],
    ['u16 65536', (w) => w.u16(65_536)],
    ['u32 2^32', (w) => w.u32(2 ** 32)],
    ['u32 -1', (w) => w.u32(-1)],
    ['u64 2^53', (w) => w.u64(2 ** 53)],
    ['u64 -1n', (w) => w.u64(-1n)],
    ['u64 2^64', (w) => w.u64(2n ** 64n)],
    ['varint -1', (w) => w.varint(-1)],
    ['varint NaN', (w) => w.varint(Number.NaN)],
    ['varint 2^53', (w) => w.varint(2 ** 53)],
  ];
  test.each(cases)('refuses %s', (_name, write) => {
    const writer = new ByteWriter();
    expect(() => write(writer)).toThrow(InvalidArgumentError);
    expect(writer.length).toBe(0);
  });

  test.each([1, 100, 1000])('starts again after take and leaves what was taken alone (%d bytes)', (size) => {
    const writer = new ByteWriter(100);
    const first = writer.raw(Buffer.alloc(size, 1)).take();
    expect(writer.length).toBe(0);
    const second = writer.raw(Buffer.alloc(size, 2)).take();
    expect([first, second]).toEqual([Buffer.alloc(size, 1), Buffer.alloc(size, 2)]);
  });
});
