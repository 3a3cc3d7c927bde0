import { checksum64 } from '../../engine/checksum.js';
import { getU64, setU64, viewOf } from './format.js';

/**
 * A cursor file: two slots a disk block apart, written in turn, so that a torn write never harms the newest sound one.
 * The sound slot with the highest counter counts. The layout is in docs/journal-format.md.
 */

export const CURSOR_VERSION = 1;
/** "LHCU" as the bytes lie in the file. */
export const CURSOR_MAGIC = 0x5543484c;
export const CURSOR_SLOT_BYTES = 40;
export const CURSOR_SLOT_STRIDE = 4096;
export const CURSOR_SLOTS = 2;
export const CURSOR_FILE_BYTES = CURSOR_SLOT_STRIDE * (CURSOR_SLOTS - 1) + CURSOR_SLOT_BYTES;
export const CURSOR = {
  magic: 0,
  version: 4,
  flags: 6,
  counter: 8,
  sequence: 16,
  chain: 24,
  checksum: 32,
} as const;

/** Flag of a cursor that no longer holds anything back. */
const DETACHED = 1;

export interface CursorSlot {
  counter: number;
  sequence: number;
  /** Stored as 0 when unknown. */
  chain: bigint | undefined;
  /** Whether the journal went on without it, because it was full. */
  detached: boolean;
}

export function slotOffset(counter: number): number {
  return (counter % CURSOR_SLOTS) * CURSOR_SLOT_STRIDE;
}

export function encodeSlot(slot: CursorSlot): Uint8Array {
  const bytes = new Uint8Array(CURSOR_SLOT_BYTES);
  const view = viewOf(bytes);
  view.setUint32(CURSOR.magic, CURSOR_MAGIC, true);
  view.setUint16(CURSOR.version, CURSOR_VERSION, true);
  view.setUint16(CURSOR.flags, slot.detached ? DETACHED : 0, true);
  setU64(view, CURSOR.counter, slot.counter);
  setU64(view, CURSOR.sequence, slot.sequence);
  view.setBigUint64(CURSOR.chain, slot.chain ?? 0n, true);
  view.setBigUint64(CURSOR.checksum, checksum64(bytes.subarray(0, CURSOR.checksum)), true);
  return bytes;
}

/** The slot that counts; a number is the version of a slot that a later release wrote. */
export function decodeCursor(file: Uint8Array): CursorSlot | number | undefined {
  let newest: CursorSlot | undefined;
  for (let index = 0; index < CURSOR_SLOTS; index++) {
    const at = index * CURSOR_SLOT_STRIDE;
    if (at + CURSOR_SLOT_BYTES > file.byteLength) break;
    const slot = decodeSlot(file.subarray(at, at + CURSOR_SLOT_BYTES));
    if (typeof slot === 'number') return slot;
    if (slot !== undefined && slot.counter > (newest?.counter ?? -1)) newest = slot;
  }
  return newest;
}

function decodeSlot(bytes: Uint8Array): CursorSlot | number | undefined {
  const view = viewOf(bytes);
  if (view.getUint32(CURSOR.magic, true) !== CURSOR_MAGIC) return undefined;
  if (view.getBigUint64(CURSOR.checksum, true) !== checksum64(bytes.subarray(0, CURSOR.checksum))) return undefined;
  const version = view.getUint16(CURSOR.version, true);
  if (version !== CURSOR_VERSION) return version;
  const sequence = getU64(view, CURSOR.sequence);
  const chain = view.getBigUint64(CURSOR.chain, true);
  return {
    counter: getU64(view, CURSOR.counter),
    sequence,
    chain: chain === 0n && sequence > 0 ? undefined : chain,
    detached: (view.getUint16(CURSOR.flags, true) & DETACHED) !== 0,
  };
}

const SUFFIX = '.cursor';
/** Percent-encoded names up to here; longer ones are written in base 32, which always fits a file name. */
const READABLE_CHARACTERS_MAX = 200;
const BASE_32_MARK = '=';

/** A file name for any cursor name, safe on file systems that do not tell upper case from lower. */
export function cursorFileName(name: string): string {
  const bytes = Buffer.from(name, 'utf8');
  let readable = '';
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    readable += /[a-z0-9_-]/.test(character) ? character : `%${byte.toString(16).padStart(2, '0')}`;
  }
  if (readable.length <= READABLE_CHARACTERS_MAX) return readable + SUFFIX;
  // The leading 1 keeps zero bytes at the start of the name.
  return BASE_32_MARK + BigInt(`0x1${bytes.toString('hex')}`).toString(32) + SUFFIX;
}

/** The cursor name of a file, undefined for files of another kind. */
export function cursorNameOf(file: string): string | undefined {
  if (!file.endsWith(SUFFIX)) return undefined;
  const encoded = file.slice(0, -SUFFIX.length);
  const bytes = encoded.startsWith(BASE_32_MARK) ? fromBase32(encoded.slice(1)) : fromPercent(encoded);
  const name = bytes.toString('utf8');
  return cursorFileName(name) === file ? name : undefined;
}

function fromBase32(digits: string): Buffer {
  let value = 0n;
  for (const digit of digits) value = value * 32n + BigInt(Number.parseInt(digit, 32) || 0);
  return Buffer.from(value.toString(16).slice(1), 'hex');
}

function fromPercent(text: string): Buffer {
  return Buffer.from(
    text.replace(/%([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
}
