/**
 * Writing DER (ITU-T X.690): each value is a tag, the length of its content in the shortest form, and the content. Only
 * what a certificate needs; nothing here reads.
 */

const TAG_BOOLEAN = 0x01;
const TAG_INTEGER = 0x02;
const TAG_BIT_STRING = 0x03;
const TAG_OCTET_STRING = 0x04;
const TAG_OBJECT_ID = 0x06;
const TAG_UTF8_STRING = 0x0c;
const TAG_UTC_TIME = 0x17;
const TAG_GENERALIZED_TIME = 0x18;
const TAG_SEQUENCE = 0x30;
const TAG_SET = 0x31;
const TAG_CONTEXT = 0xa0;

/** From this year on a time has four digits of the year (RFC 5280, 4.1.2.5). */
const GENERALIZED_FROM_YEAR = 2050;

function value(tag: number, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.of(tag), lengthOf(body.byteLength), body]);
}

/** Below 128 one byte, otherwise the number of bytes that follow, and these. */
function lengthOf(bytes: number): Buffer {
  if (bytes < 0x80) return Buffer.of(bytes);
  const digits = base256(bytes);
  return Buffer.of(0x80 | digits.length, ...digits);
}

function base256(number: number): number[] {
  const digits = [number % 256];
  for (let rest = Math.floor(number / 256); rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
  return digits;
}

export const sequence = (...parts: Uint8Array[]): Buffer => value(TAG_SEQUENCE, ...parts);

export const set = (...parts: Uint8Array[]): Buffer => value(TAG_SET, ...parts);

/** `[number] EXPLICIT` around one value. */
export const explicit = (number: number, part: Uint8Array): Buffer => value(TAG_CONTEXT | number, part);

export const boolean = (yes: boolean): Buffer => value(TAG_BOOLEAN, Buffer.of(yes ? 0xff : 0));

export const utf8String = (text: string): Buffer => value(TAG_UTF8_STRING, Buffer.from(text));

export const octetString = (bytes: Uint8Array): Buffer => value(TAG_OCTET_STRING, bytes);

/** `unusedBits` of the last byte mean nothing. */
export const bitString = (bytes: Uint8Array, unusedBits = 0): Buffer =>
  value(TAG_BIT_STRING, Buffer.of(unusedBits), bytes);

/** A number from 0 on, its bytes highest first. */
export function unsignedInteger(bytes: Uint8Array): Buffer {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  const digits = bytes.subarray(from);
  // A set top bit would make it negative.
  const sign = (digits[0] ?? 0) >= 0x80 || digits.length === 0 ? [0] : [];
  return value(TAG_INTEGER, Buffer.from(sign), digits);
}

/** `1.2.840.10045.4.3.2`: the first two numbers share a byte, the others are base 128, the highest digit first. */
export function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return value(TAG_OBJECT_ID, Buffer.from([40 * first + second, ...rest.flatMap(base128)]));
}

function base128(number: number): number[] {
  const digits = [number % 128];
  for (let rest = Math.floor(number / 128); rest > 0; rest = Math.floor(rest / 128))
    digits.unshift(0x80 | (rest % 128));
  return digits;
}

/** A time to the second, in the form that RFC 5280 (4.1.2.5) has for its year; from 1950 to 9999. */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/\.\d+/, '').replace(/[-:T]/g, '');
  return date.getUTCFullYear() < GENERALIZED_FROM_YEAR
    ? value(TAG_UTC_TIME, Buffer.from(digits.slice(2)))
    : value(TAG_GENERALIZED_TIME, Buffer.from(digits));
}
