import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { listTree } from '../support/files.js';
import { Pair, type PairOptions } from '../support/pair.js';
import { randomFor } from '../support/seed.js';
import { atEnd, newDirectory } from '../support/temp.js';
import { makeRandomTree } from '../support/tree.js';

/** A source that seems to have lost its files, because it is not there: the replica must outlive that. */

async function inStep(files: number, options: PairOptions = {}): Promise<Pair> {
  const pair = Pair.at(options);
  mkdirSync(join(pair.source, 'd'));
  for (let i = 0; i < files; i++) writeFileSync(join(pair.source, i % 3 === 0 ? `d/${i}` : `${i}`), `file ${i}`);
  await pair.openReceiver();
  await pair.openSender();
  await pair.sync();
  return pair;
}

const filesIn = (root: string): number => listTree(root).filter(({ kind }) => kind === 'file').length;

describe('a source that', () => {
  test('was replaced by another directory is refused, while it runs and when it starts', async () => {
    const pair = await inStep(5);
    renameSync(pair.source, `${pair.source} before`);
    mkdirSync(pair.source);
    writeFileSync(join(pair.source, 'other'), 'x');
    await expect(pair.volume.sync()).rejects.toMatchObject({ code: 'ROOT_CHANGED' });
    await pair.closeSender();
    await expect(pair.openSender()).rejects.toMatchObject({ code: 'ROOT_CHANGED' });
    await pair.closeSender();
    expect(filesIn(pair.into)).toBe(5);
    await pair.openSender({ adopt: true, allowMassDelete: true });
    await pair.sync();
    expect(pair.differences()).toEqual([]);
  });

  test('was emptied is refused unless that is meant', async () => {
    const pair = await inStep(5);
    for (const name of readdirSync(pair.source)) rmSync(join(pair.source, name), { recursive: true });
    await expect(pair.volume.sync()).rejects.toMatchObject({ code: 'ROOT_EMPTY', replicaEntries: 5 });
    expect(filesIn(pair.into)).toBe(5);
    await pair.closeSender();
    await pair.openSender({ allowMassDelete: true });
    await pair.sync();
    expect(pair.differences()).toEqual([]);
    expect(filesIn(pair.into)).toBe(0);
  });

  test('has gone is refused, and found again when it is back', async () => {
    const pair = await inStep(5);
    renameSync(pair.source, `${pair.source} away`);
    await expect(pair.volume.sync()).rejects.toMatchObject({ code: 'ROOT_MISSING', recoverable: true });
    await expect(pair.volume.verify()).resolves.toMatchObject({ files: 5 });
    await pair.closeSender();
    await expect(pair.openSender()).rejects.toMatchObject({ code: 'ROOT_MISSING' });
    await pair.closeSender();
    renameSync(`${pair.source} away`, pair.source);
    await pair.openSender();
    await pair.sync();
    expect(pair.differences()).toEqual([]);
  });

  test('is a file is refused', async () => {
    const pair = Pair.at();
    rmSync(pair.source, { recursive: true });
    writeFileSync(pair.source, 'x');
    await pair.openReceiver();
    await expect(pair.openSender()).rejects.toMatchObject({ code: 'ROOT_MISSING' });
  });

  test('is reached through a symbolic link is copied like any other, on both ends', async () => {
    const pair = await inStep(0);
    await pair.close();
    const elsewhere = Pair.at();
    makeRandomTree(elsewhere.source, randomFor(70), { entries: 20, fileBytesMax: 10_000 });
    mkdirSync(elsewhere.into);
    const links = { source: join(elsewhere.dir, 'to source'), into: join(elsewhere.dir, 'to into') };
    symlinkSync('source', links.source);
    symlinkSync('into', links.into);
    const linked = Pair.at({ volume: { root: links.source }, replica: { root: links.into } });
    await linked.openReceiver();
    await linked.openSender();
    await linked.sync();
    expect(elsewhere.differences()).toEqual([]);
  });
});

const isRoot = process.getuid?.() === 0;

test.skipIf(!isRoot || process.platform !== 'linux')(
  'a source whose file system was unmounted (needs root on Linux)',
  async () => {
    const pair = Pair.at();
    const mount = (): unknown => spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'none', pair.source]);
    const unmount = (): unknown => spawnSync('umount', ['-l', pair.source]);
    atEnd(unmount);
    mount();
    for (let i = 0; i < 8; i++) writeFileSync(join(pair.source, `${i}`), 'x');
    await pair.openReceiver();
    await pair.openSender();
    await pair.sync();
    unmount();
    await expect(pair.volume.sync()).rejects.toMatchObject({ code: 'ROOT_CHANGED' });
    expect(filesIn(pair.into)).toBe(8);
  },
);

describe('a run that would delete most of the files of the replica', () => {
  const remove = (pair: Pair, from: number, to: number): void => {
    for (let i = from; i < to; i++) rmSync(join(pair.source, i % 3 === 0 ? `d/${i}` : `${i}`));
  };

  test('is refused above 100 files, and allowed by the flag', async () => {
    const pair = await inStep(120);
    remove(pair, 0, 61);
    await expect(pair.volume.sync()).rejects.toMatchObject({ code: 'MASS_DELETE', deletions: 61, replicaFiles: 120 });
    expect(filesIn(pair.into)).toBe(120);
    await pair.closeSender();
    await pair.openSender({ allowMassDelete: true });
    expect(await pair.sync()).toMatchObject({ removed: 61 });
    expect(pair.differences()).toEqual([]);
  });

  test('is nothing special for half of them, or up to 100', async () => {
    const half = await inStep(120);
    remove(half, 0, 60);
    expect(await half.sync()).toMatchObject({ removed: 60 });
    const few = await inStep(100);
    remove(few, 0, 99);
    expect(await few.sync()).toMatchObject({ removed: 99 });
    expect(few.differences()).toEqual([]);
  });

  test('is refused even when as many others have come', async () => {
    const pair = await inStep(120);
    remove(pair, 0, 120);
    for (let i = 0; i < 120; i++) writeFileSync(join(pair.source, `other ${i}`), `quite another ${i}`);
    await expect(pair.volume.sync()).rejects.toMatchObject({ code: 'MASS_DELETE', deletions: 120 });
    expect(filesIn(pair.into)).toBe(120);
  });

  test('is refused too when a replica that was adopted has more than the source', async () => {
    const pair = Pair.at();
    writeFileSync(join(pair.source, 'one'), 'x');
    mkdirSync(pair.into);
    for (let i = 0; i < 150; i++) writeFileSync(join(pair.into, `${i}`), 'x');
    await pair.openReceiver({ adopt: true });
    await pair.openSender();
    await pair.sender.connected();
    await expect(pair.volume.sync()).rejects.toMatchObject({ code: 'MASS_DELETE' });
    expect(filesIn(pair.into)).toBe(150);
  });
});

describe('a state directory', () => {
  test.each(['sender', 'receiver'] as const)('of the %s inside the directory it describes is refused', async (who) => {
    const pair = Pair.at();
    mkdirSync(join(pair.into, 'x'), { recursive: true });
    if (who === 'sender') pair.senderState = join(pair.source, 'x/state');
    else pair.receiverState = join(pair.into, 'x/state');
    const opened =
      who === 'sender'
        ? pair.openReceiver({ adopt: true }).then(() => pair.openSender())
        : pair.openReceiver({ adopt: true });
    await expect(opened).rejects.toMatchObject({ code: 'NESTED_DIRECTORIES' });
  });

  test('that is the directory itself, or inside by way of a link, is refused', async () => {
    const pair = Pair.at();
    pair.senderState = pair.source;
    await pair.openReceiver();
    await expect(pair.openSender()).rejects.toMatchObject({ code: 'NESTED_DIRECTORIES' });
    const other = Pair.at();
    symlinkSync(other.source, join(other.dir, 'way in'));
    other.senderState = join(other.dir, 'way in', 'state');
    await other.openReceiver();
    await expect(other.openSender()).rejects.toMatchObject({ code: 'NESTED_DIRECTORIES' });
  });

  test('beside it, with a name that begins the same, is fine', async () => {
    const pair = Pair.at();
    pair.senderState = `${pair.source}-state`;
    await pair.openReceiver();
    await pair.openSender();
    await pair.sync();
  });
});

test('an --into that holds something else is refused and left alone', async () => {
  const pair = Pair.at();
  mkdirSync(pair.into);
  writeFileSync(join(pair.into, 'mine'), 'x');
  await expect(pair.openReceiver()).rejects.toMatchObject({ code: 'REPLICA_NOT_EMPTY', path: pair.into });
  expect(readdirSync(pair.into)).toEqual(['mine']);
});

test('nothing of ours is left in the replica when nothing runs, also when the states lie on another file system', async () => {
  const states = existsSync('/dev/shm') ? newDirectory('/dev/shm') : newDirectory();
  const pair = Pair.at();
  pair.receiverState = join(states, 'receiver');
  makeRandomTree(pair.source, randomFor(71), { entries: 30, fileBytesMax: 2_000_000 });
  await pair.openReceiver();
  await pair.openSender();
  await pair.sync();
  writeFileSync(join(pair.source, 'more'), 'x');
  await pair.sync();
  await pair.close();
  expect(pair.differences()).toEqual([]);
});
