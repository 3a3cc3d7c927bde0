import fc from 'fast-check';
import { DIGEST_BYTES } from '../../src/engine/digest.js';
import type { Attributes, Entry } from '../../src/volume/entry.js';
import type { Operation } from '../../src/volume/operation.js';

/** Whatever a volume may hold, for tests that try them all. */

const MAX_SAFE = Number.MAX_SAFE_INTEGER;
const safe = fc.maxSafeNat();

/** Any byte but NUL and the separator, and not `.` or `..`. */
const byte = fc.integer({ min: 1, max: 255 }).filter((value) => value !== 0x2f);
export const name: fc.Arbitrary<string> = fc
  .array(byte, { minLength: 1, maxLength: 255, size: 'small' })
  .map((bytes) => String.fromCharCode(...bytes))
  .filter((text) => text !== '.' && text !== '..');
export const path: fc.Arbitrary<string> = fc
  .array(name, { minLength: 1, maxLength: 12, size: 'small' })
  .map((names) => names.join('/'));

export const attributes: fc.Arbitrary<Attributes> = fc.record({
  mode: fc.integer({ min: 0, max: 0o7777 }),
  mtime: fc.maxSafeInteger().filter((value) => !Object.is(value, -0)),
  uid: fc.integer({ min: 0, max: 0xffff_ffff }),
  gid: fc.integer({ min: 0, max: 0xffff_ffff }),
});

const bytes = (options: fc.IntArrayConstraints): fc.Arbitrary<Buffer> =>
  fc.uint8Array(options).map((array) => Buffer.from(array));
export const digest = bytes({ minLength: DIGEST_BYTES, maxLength: DIGEST_BYTES });
const target = bytes({ minLength: 1, maxLength: 200 });
const content = bytes({ maxLength: 5000 });
const described = { path, attributes, size: safe, digest };

export const entry: fc.Arbitrary<Entry> = fc
  .record({
    path,
    kind: fc.constantFrom('directory', 'file', 'symlink'),
    attributes,
    size: safe,
    digest: fc.option(digest, { nil: undefined }),
    target: fc.option(target, { nil: undefined }),
    signature: fc.option(fc.record({ inode: safe, changed: safe }), { nil: undefined }),
  })
  .map(({ digest, target, signature, ...rest }) => ({
    ...rest,
    ...(digest === undefined ? {} : { digest }),
    ...(target === undefined ? {} : { target }),
    ...(signature === undefined ? {} : { signature }),
  })) as fc.Arbitrary<Entry>;

const type = <T extends string>(value: T): fc.Arbitrary<T> => fc.constant(value);

export const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ type: type('directory'), path, attributes }),
  fc.record({ type: type('file'), path, attributes, sparse: fc.boolean(), content }),
  fc.record({
    type: type('begin'),
    path,
    size: safe,
    sparse: fc.boolean(),
    inode: safe,
    changed: safe,
    mtime: fc.integer({ min: -MAX_SAFE, max: MAX_SAFE }).filter((value) => !Object.is(value, -0)),
  }),
  fc.record({ type: type('part'), path, offset: safe, content }),
  fc.record({ type: type('commit'), ...described }),
  fc.record({ type: type('discard') }),
  fc.record({ type: type('symlink'), path, attributes, target }),
  fc.record({
    type: type('remove'),
    path,
    kind: fc.constantFrom('directory' as const, 'file' as const, 'symlink' as const),
  }),
  fc.record({ type: type('rename'), from: path, ...described }),
  fc.record({ type: type('attributes'), path: fc.oneof(path, fc.constant('')), attributes }),
  fc.record({ type: type('attributes'), path, attributes, content: fc.record({ size: safe, digest }) }),
  fc.record({ type: type('stash'), path, id: safe }),
  fc.record({ type: type('unstash'), id: safe, ...described }),
);
