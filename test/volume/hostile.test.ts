import { mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../src/engine/digest.js';
import { Receiver, Replica, Sender } from '../../src/index.js';
import { encodeOperation, type Operation, OperationKind, type OperationRecord } from '../../src/volume/operation.js';
import { listTree } from '../support/files.js';
import { atEnd, newDirectory } from '../support/temp.js';
import { eventsOf, until } from '../support/until.js';

/** Records that no volume makes, as a sender that means harm would send them. */

const ATTRIBUTES = { mode: 0o644, mtime: 1_000_000_000_000_000, uid: 0, gid: 0 };
const SECRET = 'outside, and known to the sender';

let dir: string;
let root: string;
let sender: Sender;
let replica: Replica;

beforeEach(async () => {
  dir = newDirectory();
  root = join(dir, 'into');
  mkdirSync(join(dir, 'outside', 'inner'), { recursive: true });
  writeFileSync(join(dir, 'outside', 'secret'), SECRET);
});

async function open(): Promise<void> {
  const receiver = await Receiver.open({ dir: join(dir, 'state'), listen: { host: '127.0.0.1', port: 0 } });
  atEnd(() => receiver.close());
  replica = await Replica.open({ root, receiver, adopt: true });
  atEnd(() => replica.close());
  sender = await Sender.open({
    dir: join(dir, 'sender'),
    peers: [{ name: 'replica', host: '127.0.0.1', port: receiver.port }],
    resync: () => [],
  });
  atEnd(() => sender.close());
  await sender.connected();
}

function assign({ payload, kind, key, offset }: OperationRecord): Promise<number> {
  return sender.assign(payload, { kind, key, ...(offset === undefined ? {} : { offset }) });
}

async function send(...operations: Operation[]): Promise<void> {
  for (const operation of operations) await assign(encodeOperation(operation));
}

const file = (path: string, content = 'harm'): Operation => ({
  type: 'file',
  path,
  attributes: ATTRIBUTES,
  sparse: false,
  content: Buffer.from(content),
});
const known = { attributes: ATTRIBUTES, size: SECRET.length, digest: digestOf(Buffer.from(SECRET)) };
const link = (path: string): Operation => ({
  type: 'symlink',
  path,
  attributes: ATTRIBUTES,
  target: Buffer.from(join(dir, 'outside')),
});

/** What lies outside the root, with everything that a change would show in. */
function outside(): string[] {
  return listTree(join(dir, 'outside')).map(
    ({ path, stats }) => `${path} ${stats.ino} ${stats.mode} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`,
  );
}

describe('a record that cannot be right stalls the replica, is reported by its code, and nothing happens', () => {
  const unsafe: Record<string, string> = {
    'up and out': '../x',
    'up in the middle': 'a/../../x',
    absolute: '/tmp/x',
    'with a NUL': 'a\0b',
    'with an empty name': 'a//b',
    'ending in a slash': 'a/',
    'a dot': './x',
    'two dots': '..',
    'a name too long': 'n'.repeat(256),
    'a path too long': `${'p'.repeat(200)}/`.repeat(21),
  };

  test.each(Object.entries(unsafe))('a path %s', async (_, path) => {
    await open();
    const before = outside();
    const problems = eventsOf('apply');
    await send(file('good'));
    await assign({
      kind: OperationKind.file,
      key: Buffer.from(path, 'latin1'),
      payload: encodeOperation(file('x')).payload,
    });
    await until('the stall', () => problems.length > 0);
    expect(problems[0]?.problem).toMatchObject({ code: 'UNSAFE_PATH' });
    await until('the record before it', () => sender.status().applied === 1);
    await until('the notice', () => sender.status().peers[0]?.problem?.code === 'PEER_REFUSED');
    expect(listTree(root).map((item) => item.path)).toEqual(['', 'good']);
    expect(outside()).toEqual(before);
  });

  const violations: Record<string, () => OperationRecord> = {
    'an unknown kind': () => ({ kind: 200, key: Buffer.from('x'), payload: Buffer.alloc(0) }),
    'a file at the root': () => ({ ...encodeOperation(file('x')), key: Buffer.alloc(0) }),
    'the removal of the root': () => ({
      ...encodeOperation({ type: 'remove', path: 'x', kind: 'directory' }),
      key: Buffer.alloc(0),
    }),
    'no path': () => ({ kind: OperationKind.directory, key: Buffer.alloc(0), payload: Buffer.alloc(10) }),
    'a file without a description': () => ({
      kind: OperationKind.file,
      key: Buffer.from('x'),
      payload: Buffer.alloc(1),
    }),
    'a description longer than the record': () => ({
      kind: OperationKind.file,
      key: Buffer.from('x'),
      payload: Buffer.from([0xff, 0xff]),
    }),
    'a kind of entry that does not exist': () => ({
      kind: OperationKind.remove,
      key: Buffer.from('x'),
      payload: Buffer.from([9]),
    }),
    'bytes too many': () => ({ kind: OperationKind.remove, key: Buffer.from('x'), payload: Buffer.from([1, 1]) }),
    'a rename from the root': () => ({
      ...encodeOperation({ type: 'rename', path: 'x', from: '', ...known }),
    }),
  };

  test.each(Object.entries(violations))('%s', async (_, record) => {
    await open();
    const problems = eventsOf('apply');
    await assign(record());
    await until('the stall', () => problems.length > 0);
    expect(problems[0]?.problem).toMatchObject({ code: 'PROTOCOL_VIOLATION' });
    expect(listTree(root).map((item) => item.path)).toEqual(['']);
  });

  test('a rename from outside', async () => {
    await open();
    const problems = eventsOf('apply');
    await send({ type: 'rename', path: 'x', from: '../outside/secret', ...known });
    await until('the stall', () => problems.length > 0);
    expect(problems[0]?.problem).toMatchObject({ code: 'UNSAFE_PATH' });
  });
});

describe('a symbolic link that leads out is never followed', () => {
  const through: Record<string, () => Operation[]> = {
    'a file': () => [file('link/new')],
    'a file over another': () => [file('link/secret')],
    'a directory': () => [{ type: 'directory', path: 'link/new', attributes: ATTRIBUTES }],
    'a link': () => [link('link/new')],
    'attributes of a file': () => [{ type: 'attributes', path: 'link/secret', attributes: ATTRIBUTES, content: known }],
    'attributes of a directory': () => [{ type: 'attributes', path: 'link/inner', attributes: ATTRIBUTES }],
    'attributes of the link as a directory': () => [{ type: 'attributes', path: 'link', attributes: ATTRIBUTES }],
    'attributes of the link as a file': () => [
      { type: 'attributes', path: 'link', attributes: ATTRIBUTES, content: known },
    ],
    'a removal': () => [{ type: 'remove', path: 'link/secret', kind: 'file' }],
    'a removal of a directory': () => [{ type: 'remove', path: 'link/inner', kind: 'directory' }],
    'a removal of the link as a directory': () => [{ type: 'remove', path: 'link', kind: 'directory' }],
    'a rename out': () => [file('mine'), { type: 'rename', path: 'link/new', from: 'mine', ...known }],
    'a rename in': () => [{ type: 'rename', path: 'stolen', from: 'link/secret', ...known }],
    'a stash': () => [
      { type: 'stash', path: 'link/secret', id: 1 },
      { type: 'unstash', path: 'stolen', id: 1, ...known },
    ],
    'an unstash': () => [
      file('mine'),
      { type: 'stash', path: 'mine', id: 1 },
      { type: 'unstash', path: 'link/new', id: 1, ...known },
    ],
    'a large file': () => [
      { type: 'begin', path: 'link/new', size: 4, sparse: false, inode: 1, changed: 1, mtime: 1 },
      { type: 'part', path: 'link/new', offset: 0, content: Buffer.from('harm') },
      { type: 'commit', path: 'link/new', attributes: ATTRIBUTES, size: 4, digest: digestOf(Buffer.from('harm')) },
    ],
  };

  test.each(Object.entries(through))('sent as a record, then %s', async (_, operations) => {
    await open();
    const before = outside();
    await send(link('link'), ...operations());
    await sender.drain('applied');
    expect(outside()).toEqual(before);
    expect(readFileSync(join(dir, 'outside', 'secret'), 'utf8')).toBe(SECRET);
    expect(listTree(root).filter(({ path }) => path === 'stolen')).toEqual([]);
  });

  test.each(Object.entries(through))('in one window with %s', async (_, operations) => {
    await open();
    const before = outside();
    const all = [link('link'), ...operations()];
    // Numbers are given at once, so that the receiver gets them together.
    await Promise.all(all.map((operation) => assign(encodeOperation(operation))));
    await sender.drain('applied');
    expect(outside()).toEqual(before);
    expect(listTree(root).filter(({ path }) => path === 'stolen')).toEqual([]);
  });

  test.each(Object.entries(through))('planted in the replica by somebody else, then %s', async (_, operations) => {
    mkdirSync(root);
    symlinkSync(join(dir, 'outside'), join(root, 'link'));
    await open();
    const before = outside();
    await send(...operations());
    await sender.drain('applied');
    expect(outside()).toEqual(before);
  });

  test.each(Object.entries(through))('put in the place of a directory in use, then %s', async (_, operations) => {
    await open();
    const before = outside();
    await send({ type: 'directory', path: 'link', attributes: ATTRIBUTES }, file('link/first'));
    await sender.drain('applied');
    renameSync(join(root, 'link'), join(root, 'moved away'));
    symlinkSync(join(dir, 'outside'), join(root, 'link'));
    await send(...operations());
    await sender.drain('applied');
    expect(outside()).toEqual(before);
  });
});
