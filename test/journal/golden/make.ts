import crypto from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checksum64 } from '../../../src/engine/checksum.js';
import { SEGMENT, segmentName } from '../../../src/journal/format/format.js';
import { Author } from './author.js';

/**
 * Makes the golden journals: small ones as a journal writes them, sound and damaged, the same bytes each time. What the
 * sound ones hold is written beside them, from what was appended. They are kept in git, so that a later release is known
 * to read what this one wrote. Run as `node dist/test/journal/golden/make.js`, for a new version of the format only.
 */

export const VOLUME = '00112233445566778899aabbccddeeff';
export const OTHER_VOLUME = 'ffeeddccbbaa99887766554433221100';

export const RESET_BASE = 1001;
export const RESET_CHAIN = 0x0123456789abcdefn;

/** Too large for what is left of the first segment, and for most to follow in its own. */
const LARGE_BYTES = 57_000;
const FILLING_BYTES = 700;
const OLD_RECORDS = 40;
const PAGE_BYTES = 4096;
const SECTOR_BYTES = 512;

export async function makeGolden(root: string): Promise<void> {
  const aside = join(root, 'aside');
  const restore = countRandomBytes();
  try {
    await closed(join(root, 'closed'), VOLUME);
    await reopened(aside, join(root, 'reopened'));
    await killed(aside, join(root, 'killed'));
    await recycled(aside, join(root, 'recycled'));
    await cutDecided(aside, join(root, 'cut-decided'));
    await resetDecided(aside, join(root, 'reset-decided'));
    await closed(aside, OTHER_VOLUME);
    damaged(root, aside);
  } finally {
    restore();
    rmSync(aside, { recursive: true, force: true });
    rmSync(`${aside}.json`, { force: true });
  }
}

/** Three segments, with every kind of field, and two cursors. */
async function closed(dir: string, volume: string): Promise<void> {
  const author = await Author.begin(dir, volume);
  await author.append(Buffer.from('the first record'));
  await author.appendMany([Buffer.from('a'), Buffer.from('group'), Buffer.from('of three')], { key: 'f', offset: 0 });
  await author.append(Buffer.alloc(0));
  await author.append(Buffer.alloc(0), { key: '', kind: 127 });
  await author.append(Buffer.from([0, 255, 128, 127]), { key: Buffer.from([0, 255]), kind: 255, offset: 2 ** 53 - 1 });
  await author.reopen(7);
  await author.append(Buffer.from('of a later epoch'), { key: 'a/b', offset: 4096 });
  await author.append(Buffer.alloc(LARGE_BYTES, 'a large payload, '), { key: 'large', offset: 1 });
  await author.append(Buffer.alloc(FILLING_BYTES, 'one more, '), { kind: 1 });
  await author.appendMany([Buffer.from('12345678'), Buffer.from('1234567')], { key: '\u00e9' });
  await author.advance('Peer 1', 4);
  await author.advance('apply', 3);
  await author.advance('apply', 11);
  await author.close();
}

/** Closed, opened again and killed: a footer that is older than the newest groups. */
async function reopened(dir: string, copy: string): Promise<void> {
  const author = await Author.begin(dir, VOLUME);
  await author.append(Buffer.from('before the close'));
  await author.reopen();
  await author.append(Buffer.from('behind the footer'), { key: 'k' });
  await author.append(Buffer.from('and once more'), { key: 'k', offset: 3 });
  await author.kill(copy);
}

/** Killed: no footer. Two groups of one record, and one of four over three pages, which nothing proves durable. */
async function killed(dir: string, copy: string): Promise<void> {
  const author = await Author.begin(dir, VOLUME);
  await author.append(Buffer.from('durable, as the next group says'));
  await author.append(Buffer.from('durable too'));
  const payloads = [1, 2, 3, 4].map((number) => Buffer.alloc(2500, `part ${number} `));
  await author.appendMany(payloads, { key: 'group' });
  await author.kill(copy);
}

/** One segment in the file of an older one, whose groups and footer lie behind its own. */
async function recycled(dir: string, copy: string): Promise<void> {
  const author = await Author.begin(dir, VOLUME);
  for (let index = 0; index < OLD_RECORDS; index++) await author.append(Buffer.alloc(200, `old record ${index} `));
  await author.append(Buffer.alloc(LARGE_BYTES, 'fills the second segment '));
  await author.advance('peer', OLD_RECORDS);
  await author.reopen();
  await author.append(Buffer.alloc(FILLING_BYTES, 'in the file of the first segment '));
  await author.append(Buffer.from('with old bytes behind'), { key: 'new', offset: 1 });
  await author.kill(copy);
}

/** Killed when a cut in the middle of a group was decided and not yet carried out. */
async function cutDecided(dir: string, copy: string): Promise<void> {
  const author = await Author.begin(dir, VOLUME);
  await author.append(Buffer.from('one'));
  await author.appendMany([Buffer.from('two'), Buffer.from('three'), Buffer.from('four')], { key: 'group' });
  await author.append(Buffer.from('five'));
  await author.advance('before', 2);
  await author.advance('behind', 5);
  await author.killInCut(3, copy);
}

/** Killed when a reset was decided and not yet carried out. */
async function resetDecided(dir: string, copy: string): Promise<void> {
  const author = await Author.begin(dir, VOLUME);
  await author.append(Buffer.from('to be dropped'));
  await author.advance('peer', 1);
  await author.killInReset(RESET_BASE, RESET_CHAIN, copy);
}

/** Copies with something wrong. */
function damaged(root: string, other: string): void {
  change(root, 'killed', 'torn', (bytes) => bytes.fill(0, 2 * PAGE_BYTES, 2 * PAGE_BYTES + SECTOR_BYTES));
  change(root, 'killed', 'payload-damaged', (bytes) => {
    const at = bytes.indexOf('durable, as');
    bytes[at] = (bytes[at] as number) ^ 1;
  });
  change(root, 'killed', 'later-version', (bytes) => {
    bytes.writeUInt16LE(3, SEGMENT.version);
    bytes.writeBigUInt64LE(checksum64(bytes.subarray(0, SEGMENT.checksum)), SEGMENT.checksum);
  });
  const [first = '', , last = ''] = readdirSync(join(root, 'closed'))
    .filter((name) => name.endsWith('.log'))
    .sort();
  const segment = (from: string, name: string, to: string) => cpSync(join(from, name), join(root, to, name));
  for (const dir of ['segment-missing', 'other-volume']) mkdirSync(join(root, dir), { recursive: true });
  segment(join(root, 'closed'), first, 'segment-missing');
  segment(join(root, 'closed'), last, 'segment-missing');
  // The other journal has a segment of the same name; only the volume tells them apart.
  segment(other, first, 'other-volume');
  segment(join(root, 'closed'), last, 'other-volume');
}

function change(root: string, from: string, to: string, damage: (bytes: Buffer) => void): void {
  cpSync(join(root, from), join(root, to), { recursive: true });
  const path = join(root, to, segmentName(1));
  const bytes = readFileSync(path);
  damage(bytes);
  writeFileSync(path, bytes);
}

/** Has `randomBytes` count instead, for salts that are the same each time; returns what ends this. */
function countRandomBytes(): () => void {
  const { randomBytes } = crypto;
  let count = 0;
  const counted = (size: number) => Buffer.alloc(size, checksum64(Buffer.from(`${++count}`)).toString(16));
  crypto.randomBytes = counted as unknown as typeof randomBytes;
  syncBuiltinESMExports();
  return () => {
    crypto.randomBytes = randomBytes;
    syncBuiltinESMExports();
  };
}

const [, script = ''] = process.argv;
if (script.endsWith('golden/make.js')) {
  await makeGolden(fileURLToPath(new URL('../../../../test/journal/golden', import.meta.url)));
}
