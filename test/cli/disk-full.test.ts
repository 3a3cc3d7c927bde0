import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { startReceive, startSend } from '../support/cli.js';
import { compareTrees } from '../support/compare.js';
import { contentOf } from '../support/files.js';
import { atEnd, newDirectory } from '../support/temp.js';
import { until } from '../support/until.js';

/** A disk that is full: said so, nothing lost, and a second run completes once there is room. */

const MIB = 1024 * 1024;
const mayMount = process.getuid?.() === 0 && process.platform === 'linux';
const why = 'needs root on Linux to mount a small file system';

let dir: string;
const at = (name: string): string => join(dir, name);

function mountSmall(name: string, size: string): void {
  mkdirSync(at(name));
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', at(name)], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  atEnd(() => spawnSync('umount', ['-l', at(name)]));
}

beforeEach(() => {
  dir = newDirectory();
  mkdirSync(at('from'));
  for (let i = 0; i < 6; i++) writeFileSync(at(`from/file ${i}`), contentOf(2 * i + 1, 2 * MIB + i, false));
});

/** Where the disk is small, which file takes the room that is lacking, and which side says so. */
const CASES: [string, { small: string; state: string; into: string; out: string; who: 'send' | 'receive' }][] = [
  ["the sender's state", { small: 'small', out: 'small/out', state: 'in', into: 'into', who: 'send' }],
  ["the receiver's state", { small: 'small', out: 'out', state: 'small/in', into: 'into', who: 'receive' }],
  ['the replica', { small: 'small', out: 'out', state: 'in', into: 'small/into', who: 'receive' }],
  [
    'the state and the replica together',
    { small: 'small', out: 'out', state: 'small/in', into: 'small/into', who: 'receive' },
  ],
];

test.skipIf(!mayMount).each(CASES)(`%s (${why})`, async (_, { small, out, state, into, who }) => {
  mountSmall(small, '64m');
  writeFileSync(at(`${small}/ballast`), Buffer.alloc(56 * MIB));
  const { receive, to } = await startReceive(at(state), at(into), '--once', '--json');
  const send = startSend(at(out), at('from'), to, '--once', '--json', '--connect-timeout', '3s');
  const [sent, received] = [await send.summary(), who === 'receive' ? await receive.summary() : undefined];
  expect(sent.code).toBe(1);
  if (who === 'send') expect(sent).toMatchObject({ error: { code: 'DISK_FULL', recoverable: true } });
  else {
    expect(received).toMatchObject({ code: 1, error: { code: 'DISK_FULL', recoverable: true } });
    expect(received?.error).toMatchObject({ message: expect.stringContaining(at(small)) });
    expect(JSON.stringify(sent.error)).toMatch(/DISK_FULL|CONNECTION_LOST|PEER_UNREACHABLE/);
  }
  await receive.kill();

  rmSync(at(`${small}/ballast`));
  const again = await startReceive(at(state), at(into), '--once', '--json');
  expect(await startSend(at(out), at('from'), again.to, '--once', '--json').summary()).toMatchObject({
    code: 0,
    verified: true,
  });
  expect(await again.receive.summary()).toMatchObject({ code: 0, verified: true });
  expect(compareTrees(at('from'), at(into))).toEqual([]);
});

test.skipIf(!mayMount)(`a live copy goes on by itself once there is room in the replica (${why})`, async () => {
  mountSmall('small', '64m');
  writeFileSync(at('small/ballast'), Buffer.alloc(56 * MIB));
  const { receive, to } = await startReceive(at('in'), at('small/into'));
  const send = startSend(at('out'), at('from'), to, '--interval', '100ms', '--connect-timeout', '1h');
  await receive.said(/no space left|cannot be applied/);
  rmSync(at('small/ballast'));
  await until('the copy', () =>
    compareTrees(at('from'), at('small/into')).every((line) => line.includes('.longhaul-aside')),
  );
  expect(await send.kill('SIGINT')).toMatchObject({ code: 130 });
  expect(await receive.kill('SIGINT')).toMatchObject({ code: 130 });
});
