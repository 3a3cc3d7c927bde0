import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { contentOf } from '../support/files.js';
import { Pair, type PairOptions } from '../support/pair.js';
import { makeNastyTree } from '../support/tree.js';
import { nextEvent } from '../support/until.js';

/** States that are lost, directories that came another way, and what must cross then: only what differs. */

const FILE_BYTES = 400_000;

function fill(source: string): void {
  for (const dir of ['d/e', 'empty']) mkdirSync(join(source, dir), { recursive: true });
  for (let i = 0; i < 12; i++)
    writeFileSync(join(source, i % 2 === 0 ? `file ${i}` : `d/file ${i}`), contentOf(2 * i + 1, FILE_BYTES));
  writeFileSync(join(source, 'large'), contentOf(77, 2_500_000));
  symlinkSync('file 0', join(source, 'link'));
}

/** All content that has crossed since the sender was opened, in a comparison that the link asked for or in a pass. */
function expectSent(pair: Pair, bytes: number, before = 0): void {
  const sent = pair.sender.status().payloadBytesSent - before;
  expect(sent).toBeGreaterThanOrEqual(bytes);
  expect(sent).toBeLessThan(bytes + 20_000);
}

const copy = (from: string, to: string): unknown => spawnSync('cp', ['-a', from, to]);

async function inStep(options: PairOptions = {}): Promise<Pair> {
  const pair = Pair.at(options);
  fill(pair.source);
  await pair.openReceiver();
  await pair.openSender();
  await pair.sync();
  return pair;
}

describe('a replica directory that came by disk copy', () => {
  test('is refused unless it is adopted', async () => {
    const pair = Pair.at();
    fill(pair.source);
    copy(pair.source, pair.into);
    await expect(pair.openReceiver()).rejects.toMatchObject({ code: 'REPLICA_NOT_EMPTY' });
    expect(pair.differences()).toEqual([]);
  });

  test('gets no content when it is the same', async () => {
    const pair = Pair.at();
    fill(pair.source);
    copy(pair.source, pair.into);
    await pair.openReceiver({ adopt: true });
    await pair.openSender();
    await pair.sync();
    expect(pair.differences()).toEqual([]);
    expectSent(pair, 0);
  });

  test('gets what differs, and loses what the source lacks', async () => {
    const pair = Pair.at();
    fill(pair.source);
    copy(pair.source, pair.into);
    const at = (path: string): string => join(pair.into, path);
    appendFileSync(at('file 0'), 'more');
    utimesSync(at('file 2'), 1, 1);
    chmodSync(at('file 4'), 0o600);
    rmSync(at('file 6'));
    writeFileSync(at('extra'), 'x');
    mkdirSync(at('extra dir/with/more'), { recursive: true });
    writeFileSync(at('extra dir/with/more/file'), 'x');
    rmSync(at('link'));
    symlinkSync('elsewhere', at('link'));
    rmSync(at('empty'), { recursive: true });
    writeFileSync(at('empty'), 'a file where a directory should be');
    rmSync(at('file 8'));
    mkdirSync(at('file 8/sub'), { recursive: true });
    writeFileSync(at('file 8/sub/x'), 'a directory where a file should be');
    spawnSync('mkfifo', [at('pipe')]);
    await pair.openReceiver({ adopt: true });
    await pair.openSender();
    await pair.sync();
    expect(pair.differences().filter((line) => !line.includes('pipe'))).toEqual([]);
    // Three files lack their content over there; the others at most their attributes.
    expectSent(pair, 3 * FILE_BYTES);
  });

  test('is adopted with everything that a file system allows in it', async () => {
    const pair = Pair.at();
    await makeNastyTree(pair.source);
    copy(pair.source, pair.into);
    await pair.openReceiver({ adopt: true });
    await pair.openSender();
    await pair.sync();
    const specials = ['pipe', 'socket'];
    expect(pair.differences().filter((line) => !specials.some((name) => line.includes(name)))).toEqual([]);
    expectSent(pair, 0);
  });

  test('whose files share inodes is taken apart where the source changes one of them', async () => {
    const pair = Pair.at();
    fill(pair.source);
    linkSync(join(pair.source, 'file 0'), join(pair.source, 'second name'));
    copy(pair.source, pair.into);
    expect(statSync(join(pair.into, 'file 0')).nlink).toBe(2);
    await pair.openReceiver({ adopt: true });
    await pair.openSender();
    await pair.sync();
    rmSync(join(pair.source, 'second name'));
    copy(join(pair.source, 'file 0'), join(pair.source, 'second name'));
    utimesSync(join(pair.source, 'second name'), 1000, 1000);
    chmodSync(join(pair.source, 'second name'), 0o600);
    await pair.sync();
    expect(pair.differences()).toEqual([]);
  });
});

describe('a state that was lost', () => {
  test("the sender's: the replica is compared and gets what differs", async () => {
    const pair = await inStep();
    await pair.closeSender();
    rmSync(pair.senderState, { recursive: true });
    appendFileSync(join(pair.source, 'file 0'), 'more');
    rmSync(join(pair.source, 'file 2'));
    await pair.openSender();
    await expect(pair.sender.connected()).rejects.toMatchObject({ code: 'VOLUME_MISMATCH' });
    await pair.closeSender();
    await pair.openSender({ adopt: true }, { adopt: true });
    await pair.sync();
    expect(pair.differences()).toEqual([]);
    expectSent(pair, FILE_BYTES + 4);
  });

  test("the receiver's: its directory is adopted and gets what differs", async () => {
    const pair = await inStep();
    await pair.closeReceiver();
    rmSync(pair.receiverState, { recursive: true });
    appendFileSync(join(pair.source, 'file 0'), 'more');
    const before = pair.sender.status().payloadBytesSent;
    await pair.openReceiver({ adopt: true });
    await pair.sync();
    expect(pair.differences()).toEqual([]);
    expectSent(pair, FILE_BYTES + 4, before);
  });

  test('both: the directory is adopted', async () => {
    const pair = await inStep();
    await pair.close();
    rmSync(pair.senderState, { recursive: true });
    rmSync(pair.receiverState, { recursive: true });
    await pair.openReceiver({ adopt: true });
    await pair.openSender();
    await pair.sync();
    expect(pair.differences()).toEqual([]);
    expectSent(pair, 0);
  });

  test("the sender's catalog alone: built anew from what the replica says", async () => {
    const pair = await inStep();
    await pair.closeSender();
    rmSync(join(pair.senderState, 'catalog'), { recursive: true });
    await pair.openSender();
    await pair.sync();
    expect(pair.differences()).toEqual([]);
    expectSent(pair, 0);
  });

  test("the receiver's catalog alone: built anew from its files", async () => {
    const pair = await inStep();
    await pair.closeReceiver();
    rmSync(join(pair.receiverState, 'catalog'), { recursive: true });
    appendFileSync(join(pair.source, 'file 0'), 'more');
    const before = pair.sender.status().payloadBytesSent;
    await pair.openReceiver();
    await pair.sync();
    expect(pair.differences()).toEqual([]);
    expectSent(pair, FILE_BYTES + 4, before);
  });
});

describe('a replica that is not there any more', () => {
  test('is not silently started over: something may just not be mounted', async () => {
    const pair = await inStep();
    await pair.closeReceiver();
    renameSync(pair.into, `${pair.into} gone`);
    await expect(pair.openReceiver()).rejects.toMatchObject({ code: 'ROOT_CHANGED' });
  });

  test('is copied anew when it is adopted, while the sender goes on, also without a verification', async () => {
    const pair = await inStep();
    await pair.closeReceiver();
    renameSync(pair.into, `${pair.into} gone`);
    const open = nextEvent('session', ({ state }) => state === 'open');
    await pair.openReceiver({ adopt: true });
    await open;
    writeFileSync(join(pair.source, 'new'), 'new');
    await pair.volume.sync();
    await pair.sender.drain('applied');
    expect(pair.differences()).toEqual([]);
  });

  test('and comes back later is adopted again', async () => {
    const pair = await inStep();
    await pair.closeReceiver();
    renameSync(pair.into, `${pair.into} gone`);
    await pair.openReceiver({ adopt: true });
    await pair.sync();
    await pair.closeReceiver();
    rmSync(pair.into, { recursive: true });
    renameSync(`${pair.into} gone`, pair.into);
    await expect(pair.openReceiver()).rejects.toMatchObject({
      code: expect.stringMatching(/^(ROOT_CHANGED|REPLICA_NOT_EMPTY)$/),
    });
    await pair.closeReceiver();
    const before = pair.sender.status().payloadBytesSent;
    await pair.openReceiver({ adopt: true });
    await pair.sync();
    expect(pair.differences()).toEqual([]);
    expectSent(pair, 0, before);
  });
});

test('two replicas are kept the same from one volume, one of them adopted', async () => {
  const first = Pair.at();
  const second = Pair.at();
  fill(first.source);
  copy(first.source, second.into);
  writeFileSync(join(second.into, 'extra'), 'x');
  rmSync(join(second.into, 'file 4'));
  await first.openReceiver();
  await second.openReceiver({ adopt: true });
  const peers = [first, second].map(({ port }, i) => ({ name: `peer ${i}`, host: '127.0.0.1', port }));
  await first.openSender({}, { peers });
  await first.sync();
  expect(first.differences()).toEqual([]);
  renameSync(join(first.source, 'd'), join(first.source, 'renamed'));
  appendFileSync(join(first.source, 'large'), 'more');
  await first.sync();
  second.source = first.source;
  expect(first.differences()).toEqual([]);
  expect(second.differences()).toEqual([]);
});
