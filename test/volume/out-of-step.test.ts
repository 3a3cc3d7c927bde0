import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { letFilesSettle } from '../support/clock.js';
import { contentOf, listTree } from '../support/files.js';
import { Pair, type PairOptions } from '../support/pair.js';
import { atEnd, newDirectory } from '../support/temp.js';
import { nextEvent, onEvent, until } from '../support/until.js';

/**
 * What the sender believes of a replica and what that holds have come apart: unless a test says otherwise, one sync
 * must bring them together again, without a verification that would find what it left behind.
 */

const MIB = 1024 * 1024;
const FILE_BYTES = 100_000;
/** The least that a queue may hold: with nobody there to take it, a sync of more stands still in the middle. */
const QUEUE_BYTES = 16 * MIB;

function fill(root: string): void {
  mkdirSync(join(root, 'd/e'), { recursive: true });
  for (const [i, name] of ['a', 'd/b', 'd/e/c', 'f'].entries())
    writeFileSync(join(root, name), contentOf(2 * i + 1, FILE_BYTES));
}

const copy = (from: string, to: string): unknown => spawnSync('cp', ['-a', from, to]);

async function open(pair: Pair): Promise<Pair> {
  await pair.openReceiver();
  await pair.openSender();
  return pair;
}

/** Brings the replica to the present state with a sync alone, and compares. */
async function expectInStep(pair: Pair): Promise<void> {
  await pair.sender.connected();
  await pair.volume.sync();
  await pair.sender.drain('applied');
  expect(pair.differences()).toEqual([]);
}

async function inStep(options: PairOptions = {}): Promise<Pair> {
  const pair = Pair.at(options);
  fill(pair.source);
  await expectInStep(await open(pair));
  return pair;
}

/** Opens the receiver again; resolves when the sender that goes on meanwhile has found it. */
async function reopenReceiver(pair: Pair, replica: { adopt?: boolean } = {}): Promise<void> {
  const found = nextEvent('session', ({ state }) => state === 'open');
  await pair.openReceiver(replica);
  await found;
  await pair.sender.connected();
}

/** Another receiver in the place of the one that was closed, with nothing of its own. */
async function openFreshReceiver(pair: Pair): Promise<void> {
  pair.receiverState = join(pair.dir, 'fresh-state');
  pair.into = join(pair.dir, 'fresh');
  await reopenReceiver(pair);
}

/** The first pair's sender with both receivers. */
async function openSenderOfBoth(first: Pair, second: Pair): Promise<void> {
  const host = '127.0.0.1';
  const peers = [
    { name: 'replica', host, port: first.port },
    { name: 'stranger', host, port: second.port },
  ];
  await first.openSender({}, { peers });
}

/** A sync that stands still because nobody takes what it has queued; `going` ends it. */
async function stuckSync(pair: Pair, signal?: AbortSignal): Promise<{ going: Promise<unknown> }> {
  const going = pair.volume.sync(signal === undefined ? {} : { signal });
  going.catch(() => {});
  await until('a full queue', () => pair.sender.status().queueBytes > QUEUE_BYTES - 3 * MIB);
  return { going };
}

/** Resolves when the queue holds a record of that path, from those on that it holds now. */
async function queued(pair: Pair, path: string): Promise<void> {
  const { journal } = pair.sender;
  for await (const { key } of journal.read(journal.first, { follow: true })) if (key?.toString() === path) return;
}

/** A directory on another file system than the one for temporary files; undefined when there is none. */
function elsewhere(): string | undefined {
  const shm = '/dev/shm';
  return existsSync(shm) && statSync(shm).dev !== statSync(tmpdir()).dev ? newDirectory(shm) : undefined;
}

/** The large file of which the replica has only the beginning yet. */
function partOfFile(pair: Pair): boolean {
  const asides = existsSync(pair.into) ? readdirSync(pair.into).filter((name) => name.startsWith('.longhaul-')) : [];
  const dirs = [join(pair.receiverState, 'aside'), ...asides.map((name) => join(pair.into, name))];
  return dirs.some((dir) => existsSync(join(dir, 'transfer')) && statSync(join(dir, 'transfer')).size > 0);
}

const ownNames = (root: string): string[] =>
  listTree(root).flatMap(({ path }) => (path.includes('.longhaul-') ? [path] : []));

describe('a receiver', () => {
  test('whose directory was replaced by an empty one refuses it, and adopted gets everything anew', async () => {
    const pair = await inStep();
    await pair.closeReceiver();
    renameSync(pair.into, `${pair.into} gone`);
    mkdirSync(pair.into);
    await expect(pair.openReceiver()).rejects.toMatchObject({ code: 'ROOT_CHANGED' });
    await pair.closeReceiver();
    await reopenReceiver(pair, { adopt: true });
    await expectInStep(pair);
  });

  test('that had adopted what came by disk copy, for which no records were queued, is replaced by a fresh one', async () => {
    const pair = Pair.at();
    fill(pair.source);
    copy(pair.source, pair.into);
    writeFileSync(join(pair.source, 'another'), 'x');
    await pair.openReceiver({ adopt: true });
    await pair.openSender();
    await expectInStep(pair);
    await pair.closeReceiver();
    await openFreshReceiver(pair);
    await expectInStep(pair);
  });

  test('that adopts and is closed before a sender came still has to be compared', async () => {
    const pair = Pair.at();
    fill(pair.source);
    copy(pair.source, pair.into);
    writeFileSync(join(pair.into, 'extra'), 'x');
    writeFileSync(join(pair.source, 'd/b'), contentOf(9, FILE_BYTES));
    await pair.openReceiver({ adopt: true });
    await pair.closeReceiver();
    await pair.openReceiver({ adopt: true });
    await pair.openSender();
    await expectInStep(pair);
    const { payloadBytesSent } = pair.sender.status();
    expect(payloadBytesSent).toBeGreaterThanOrEqual(FILE_BYTES);
    expect(payloadBytesSent).toBeLessThan(2 * FILE_BYTES);
  });
});

test('a peer that follows gets the changes that a stranger beside it has already', async () => {
  const first = await inStep();
  const second = Pair.at();
  await first.closeSender();
  rmSync(join(first.source, 'a'));
  appendFileSync(join(first.source, 'd/b'), 'more');
  writeFileSync(join(first.source, 'new'), 'new');
  second.source = first.source;
  copy(first.source, second.into);
  await second.openReceiver({ adopt: true });
  await openSenderOfBoth(first, second);
  await expectInStep(first);
  expect(second.differences()).toEqual([]);
});

test('a peer that follows hears of a file that goes between the looks at it and at a stranger', async () => {
  const first = await inStep();
  const second = Pair.at();
  await first.closeSender();
  copy(first.source, second.into);
  rmSync(join(second.into, 'f'));
  writeFileSync(join(first.source, 'new'), 'new');
  second.source = first.source;
  await second.openReceiver({ adopt: true });
  const stop = onEvent('progress', ({ files, filesTotal }) => {
    if (files < filesTotal) return;
    stop();
    rmSync(join(first.source, 'f'));
  });
  await openSenderOfBoth(first, second);
  await expectInStep(first);
  expect(existsSync(join(first.source, 'f'))).toBe(false);
  expect(second.differences()).toEqual([]);
});

test('a large file whose sync was aborted in its middle arrives whole at a fresh receiver', async () => {
  const pair = await inStep({ sender: { queueBytesMax: QUEUE_BYTES } });
  writeFileSync(join(pair.source, 'large'), contentOf(11, 24 * MIB));
  await pair.closeReceiver();
  const abort = new AbortController();
  const { going } = await stuckSync(pair, abort.signal);
  abort.abort();
  await expect(going).rejects.toMatchObject({ code: 'ABORTED' });
  await openFreshReceiver(pair);
  await expectInStep(pair);
});

test('a large file that changes while it is read does not take a moved one with it', async () => {
  letFilesSettle();
  // Little memory for records that are not durable, so that some become durable before the file is read to its end.
  const pair = Pair.at({ sender: { pendingBytesMax: MIB } });
  const at = (path: string): string => join(pair.source, path);
  fill(pair.source);
  writeFileSync(at('p'), contentOf(13, FILE_BYTES));
  await expectInStep(await open(pair));
  const large = contentOf(15, 5 * MIB);
  writeFileSync(at('b large'), large);
  mkdirSync(at('z'));
  renameSync(at('p'), at('z/p'));
  mkdirSync(at('p'));
  writeFileSync(at('p/inside'), 'x');
  let changes = 0;
  const stop = pair.sender.journal.onDurable(() => {
    changes++;
    appendFileSync(at('b large'), '!');
  });
  let unstable = 0;
  onEvent('unstable', () => {
    unstable++;
    stop();
  });
  await expectInStep(pair);
  expect(unstable).toBe(1);
  expect(statSync(at('b large')).size).toBe(large.byteLength + changes);
  expect(readFileSync(join(pair.into, 'z/p')).equals(contentOf(13, FILE_BYTES))).toBe(true);
});

test('a receiver on two file systems, closed in the middle of a large file, gets it when it is back', async (context) => {
  const parent = elsewhere();
  if (parent === undefined) return context.skip('no second file system here');
  const pair = Pair.at({ sender: { rate: '4MB', compress: 'none' } });
  pair.into = join(parent, 'into');
  fill(pair.source);
  writeFileSync(join(pair.source, 'large'), contentOf(17, 5 * MIB));
  await open(pair);
  const syncing = pair.volume.sync();
  await until('the beginning of the file', () => partOfFile(pair));
  await pair.closeReceiver();
  expect(existsSync(join(pair.into, 'large'))).toBe(false);
  expect(ownNames(pair.into)).toEqual([]);
  await reopenReceiver(pair);
  await syncing;
  await pair.sender.drain('applied');
  await pair.closeReceiver();
  expect(ownNames(pair.into)).toEqual([]);
  expect(pair.differences()).toEqual([]);
});

test('a receiver that lost its state in the middle of a sync is compared after what is under way to it', async () => {
  const pair = await inStep({ sender: { queueBytesMax: QUEUE_BYTES, rate: '30MB', compress: 'none' } });
  mkdirSync(join(pair.source, 'g'));
  for (let i = 0; i < 40; i++) writeFileSync(join(pair.source, `g/${i}`), contentOf(2 * i + 21, MIB));
  const doomed = join(pair.source, 'z doomed');
  writeFileSync(doomed, 'x');
  await pair.closeReceiver();
  const { going } = await stuckSync(pair);
  // Its record has just been queued behind many others when it goes.
  const gone = queued(pair, 'z doomed').then(() => rmSync(doomed));
  rmSync(pair.receiverState, { recursive: true });
  await reopenReceiver(pair, { adopt: true });
  await gone;
  await going;
  await expectInStep(pair);
  expect(existsSync(doomed)).toBe(false);
});

test('a receiver that is told to end in the middle of a copy leaves nothing of its own behind', async () => {
  const pair = Pair.at();
  pair.into = join(elsewhere() ?? pair.dir, 'into');
  writeFileSync(join(pair.source, 'large'), contentOf(19, 8 * MIB));
  const main = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
  const args = ['receive', '--state', pair.receiverState, '--into', pair.into, '--listen', '127.0.0.1:0'];
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  atEnd(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr.on('data', (data) => (said += data));
  const listening = /listening on 127\.0\.0\.1:(\d+)/;
  await until('the port', () => listening.test(said));
  const port = Number(listening.exec(said)?.[1]);
  await pair.openSender({}, { peers: [{ name: 'replica', host: '127.0.0.1', port }], rate: '4MB', compress: 'none' });
  pair.volume.sync().catch(() => {});
  await until('the beginning of the file', () => partOfFile(pair));
  child.kill('SIGTERM');
  await until('the end of the process', () => child.exitCode !== null || child.signalCode !== null);
  expect([child.exitCode, child.signalCode]).toEqual([130, null]);
  expect(ownNames(pair.into)).toEqual([]);
  expect(existsSync(join(pair.into, 'large'))).toBe(false);
});
