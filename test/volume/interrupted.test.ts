import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { contentOf, writeHoles } from '../support/files.js';
import { Pair } from '../support/pair.js';
import { newDirectory } from '../support/temp.js';
import { until } from '../support/until.js';

/** A large file is on its way when something ends. Afterwards the replica is right, and little has crossed twice. */

const MIB = 1024 * 1024;
const LARGE_BYTES = 10 * MIB;
const SLOWLY = '80mbit';

async function onItsWay(pair: Pair): Promise<void> {
  writeFileSync(join(pair.source, 'large'), contentOf(1, LARGE_BYTES, false));
  writeHoles(Buffer.from(join(pair.source, 'small')), 1000, []);
  await pair.openReceiver();
  // With `latency` the volume would wait for the link, and be done when all is over.
  await pair.openSender({}, { rate: SLOWLY, prefer: 'bytes' });
  await pair.sender.connected();
  await pair.volume.sync();
  await until('the first half', () => pair.receiver.status().applied > 4);
  expect(pair.receiver.status().applied).toBeLessThan(pair.sender.status().appended);
}

async function expectTheSame(pair: Pair): Promise<void> {
  await pair.sender.drain('applied');
  // While it runs, the replica has a place of its own for what is not in place yet.
  expect(pair.differences().filter((line) => !line.includes('.longhaul-aside'))).toEqual([]);
  expect(await pair.volume.verify()).toMatchObject({ repaired: 0 });
}

describe('a large file on its way', () => {
  test('goes on when the receiver is opened again', async () => {
    const pair = Pair.at();
    await onItsWay(pair);
    await pair.closeReceiver();
    await pair.openReceiver();
    await expectTheSame(pair);
    expect(pair.sender.status().payloadBytesSent).toBeLessThan(1.5 * LARGE_BYTES);
  });

  test('goes on when the receiver is opened again, with its state on another file system', async () => {
    const elsewhere = existsSync('/dev/shm') ? newDirectory('/dev/shm') : newDirectory();
    const pair = Pair.at();
    pair.receiverState = join(elsewhere, 'state');
    await onItsWay(pair);
    await pair.closeReceiver();
    await pair.openReceiver();
    await expectTheSame(pair);
  });

  test('goes on when the sender is opened again', async () => {
    const pair = Pair.at();
    await onItsWay(pair);
    await pair.closeSender();
    await pair.openSender();
    await expectTheSame(pair);
  });

  test('and is changed meanwhile', async () => {
    const pair = Pair.at();
    await onItsWay(pair);
    await pair.closeSender();
    writeFileSync(join(pair.source, 'large'), contentOf(2, LARGE_BYTES, false));
    await pair.openSender();
    await pair.sync();
    expect(pair.differences()).toEqual([]);
  });

  test('and is gone meanwhile, or has another name', async () => {
    const pair = Pair.at();
    await onItsWay(pair);
    await pair.closeSender();
    renameSync(join(pair.source, 'large'), join(pair.source, 'renamed'));
    await pair.openSender();
    await pair.sync();
    rmSync(join(pair.source, 'renamed'));
    await pair.sync();
    expect(pair.differences()).toEqual([]);
  });
});

describe('a run that is called off', () => {
  test('in the middle of a large file goes on there with the next one', async () => {
    const pair = Pair.at({ sender: { queueBytesMax: 16 * MIB, segmentBytes: MIB, rate: '160mbit' } });
    writeFileSync(join(pair.source, 'large'), contentOf(1, 4 * LARGE_BYTES, false));
    await pair.openReceiver();
    await pair.openSender();
    const abort = new AbortController();
    const syncing = pair.volume.sync({ signal: abort.signal });
    await until('some of it', () => pair.receiver.status().applied > 5);
    abort.abort();
    await expect(syncing).rejects.toMatchObject({ code: 'ABORTED' });
    const queued = pair.sender.status().appended;
    expect(queued).toBeLessThan(35);
    await pair.sync();
    expect(pair.differences()).toEqual([]);
    expect(pair.sender.status().appended).toBeLessThan(queued + 60);
  });

  test('while a verification waits is told', async () => {
    const pair = Pair.at();
    writeFileSync(join(pair.source, 'a'), 'a');
    await pair.openReceiver();
    await pair.openSender();
    await pair.volume.sync();
    await pair.closeReceiver();
    const abort = new AbortController();
    const verifying = pair.volume.verify({ signal: abort.signal });
    abort.abort();
    await expect(verifying).rejects.toMatchObject({ code: 'ABORTED' });
  });

  test('because the volume is closed is told, and closing does not wait for a receiver that is away', async () => {
    const pair = Pair.at();
    writeFileSync(join(pair.source, 'a'), 'a');
    await pair.openReceiver();
    await pair.openSender();
    await pair.sync();
    await pair.closeReceiver();
    const verifying = pair.volume.verify();
    const refused = expect(verifying).rejects.toMatchObject({ code: 'CLOSED' });
    await pair.volume.close();
    await refused;
    await expect(pair.volume.sync()).rejects.toMatchObject({ code: 'CLOSED' });
  });
});
