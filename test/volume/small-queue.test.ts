import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { contentOf } from '../support/files.js';
import { openReceiver, openSender, peer } from '../support/nodes.js';
import { Pair, type PairOptions } from '../support/pair.js';
import { newDirectory } from '../support/temp.js';
import { until } from '../support/until.js';

/** Options at their edges: a queue of the least size, heartbeats too seldom, command lines that only look known. */

const MIB = 1024 * 1024;
const queueBytesMax = 16 * MIB;

async function open(options: PairOptions): Promise<Pair> {
  const pair = Pair.at(options);
  mkdirSync(join(pair.source, 'd'));
  writeFileSync(join(pair.source, 'large'), contentOf(1, 30 * MIB));
  for (let i = 0; i < 30; i++) writeFileSync(join(pair.source, `d/${i}`), contentOf(2 * i + 3, MIB));
  await pair.openReceiver();
  await pair.openSender();
  return pair;
}

/** Waits for work that might stand still for good. */
async function ends(what: string, work: Promise<unknown>): Promise<void> {
  let settled = false;
  const done = work.finally(() => {
    settled = true;
  });
  done.catch(() => {});
  await until(what, () => settled);
  await done;
}

describe('a queue of the least size', () => {
  test.each(['sender', 'receiver'] as const)('of the %s lets a tree through that is larger', async (end) => {
    const pair = await open({ [end]: { queueBytesMax } });
    await ends(
      'the copy',
      pair.volume.sync().then(() => pair.sender.drain('applied')),
    );
    expect(pair.differences()).toEqual([]);
  });

  test("lets the embedder's own records through while the volume is idle", async () => {
    const both = { queueBytesMax };
    const pair = Pair.at({ sender: both, receiver: both });
    writeFileSync(join(pair.source, 'file'), 'content');
    await pair.openReceiver();
    await pair.openSender();
    await pair.volume.sync();
    const appendAll = async (): Promise<void> => {
      for (let i = 0; i < 48; i++) await pair.sender.append(contentOf(i, MIB));
    };
    await ends('48 MiB of records', appendAll());
    writeFileSync(join(pair.source, 'second'), 'content');
    await pair.volume.sync();
    await pair.sender.drain('applied');
    expect(pair.differences()).toEqual([]);
  });
});

test('heartbeats that come less than twice in the time allowed for silence are refused', async () => {
  const [fits, tooMuch] = [500, 501].map((heartbeatMs) => ({ peerTimeoutMs: 1000, heartbeatMs }));
  const refusal = { code: 'INVALID_ARGUMENT', message: expect.stringContaining('heartbeatMs') };
  await expect(openReceiver(tooMuch)).rejects.toMatchObject(refusal);
  await expect(openReceiver({ heartbeatMs: 7501 })).rejects.toMatchObject(refusal);
  const { port } = await openReceiver(fits);
  const peers = [peer(port)];
  await expect(openSender({ ...tooMuch, peers })).rejects.toMatchObject(refusal);
  await expect(openSender({ heartbeatMs: 7501, peers })).rejects.toMatchObject(refusal);
  await (await openSender({ ...fits, peers })).connected();
});

test.each([['constructor'], ['send --toString'], ['receive --constructor']])('longhaul %s is no usage', (line) => {
  const main = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [main, ...line.split(' ')], {
    cwd: newDirectory(),
    encoding: 'utf8',
  });
  expect(stderr).toMatch(/unknown (command|option)/);
  expect(status).toBe(2);
});
