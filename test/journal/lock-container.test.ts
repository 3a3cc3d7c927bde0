import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { DirectoryLock } from '../../src/journal/journal.js';
import { type LockOwner, parseStat, SYSTEM_PROCESSES, type SystemProcesses } from '../../src/journal/lock/owner.js';
import { newDirectory } from './harness.js';

/** Processes that hold a lock, seen from where their numbers mean nothing. */

const script = fileURLToPath(new URL('../../dist/test/journal/lock-holder.js', import.meta.url));
const UNSHARE = ['unshare', '--map-root-user', '--pid', '--fork', '--mount-proc', '--kill-child'];
const canUnshare = spawnSync('unshare', [...UNSHARE.slice(1), 'true']).status === 0;

/** Ourselves, in another container. */
const elsewhere: SystemProcesses = { ...SYSTEM_PROCESSES, namespace: async () => 'pid:[0]' };

const children = new Set<ChildProcess>();

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
});

interface Holder {
  /** What it says first. */
  said: string;
  child: ChildProcess;
  ended: Promise<unknown>;
}

async function hold(dir: string, wrapper: readonly string[] = []): Promise<Holder> {
  expect(existsSync(script), `${script} is missing: npm run build`).toBe(true);
  const [command = '', ...args] = [...wrapper, process.execPath, script, dir];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.add(child);
  const ended = new Promise((resolve) => child.on('close', resolve));
  const said = await new Promise<string>((resolve) => {
    child.stdout.setEncoding('utf8').once('data', (text: string) => resolve(text.trim()));
  });
  return { said, child, ended };
}

describe.runIf(process.platform === 'linux')('a holder in another container', () => {
  test.each([
    ['that is killed', ({ child }: Holder) => child.kill('SIGKILL')],
    ['that ends without letting go', ({ child }: Holder) => child.stdin?.end()],
  ])('%s is out of the way only then', async (_, end) => {
    const dir = newDirectory();
    const holder = await hold(dir);
    expect(holder.said).toBe('held');
    await expect(DirectoryLock.take(dir, elsewhere)).rejects.toMatchObject({
      pid: holder.child.pid,
      lockFile: undefined,
    });
    end(holder);
    await holder.ended;
    await (await DirectoryLock.take(dir, elsewhere)).release();
    expect(readdirSync(dir)).toEqual([]);
  });

  test('that is stopped still holds it', async () => {
    const dir = newDirectory();
    const holder = await hold(dir);
    holder.child.kill('SIGSTOP');
    await expect(DirectoryLock.take(dir, elsewhere)).rejects.toMatchObject({
      code: 'STATE_LOCKED',
      lockFile: undefined,
    });
  });

  test('in a directory with a name longer than the address of a socket', async () => {
    const dir = join(newDirectory(), 'd'.repeat(200));
    mkdirSync(dir);
    const holder = await hold(dir);
    await expect(DirectoryLock.take(dir, elsewhere)).rejects.toMatchObject({ lockFile: undefined });
    holder.child.kill('SIGKILL');
    await holder.ended;
    await (await DirectoryLock.take(dir, elsewhere)).release();
  });

  test('a copy of the directory says nothing of it', async () => {
    const dir = newDirectory();
    const copy = newDirectory();
    await hold(dir);
    cpSync(join(dir, 'lock'), join(copy, 'lock'));
    await expect(DirectoryLock.take(copy, elsewhere)).rejects.toMatchObject({ lockFile: join(copy, 'lock') });
  });

  test('a refused contender leaves nothing behind', async () => {
    const dir = newDirectory();
    const lock = await DirectoryLock.take(dir);
    const before = readdirSync(dir);
    expect((await hold(dir)).said).toBe('STATE_LOCKED');
    expect(readdirSync(dir)).toEqual(before);
    await lock.release();
    expect(readdirSync(dir)).toEqual([]);
  });
});

test.runIf(canUnshare)('two containers, in which each is process 1', async () => {
  const dir = newDirectory();
  const first = await hold(dir, UNSHARE);
  expect(first.said).toBe('held');
  expect((await hold(dir, UNSHARE)).said).toBe('STATE_LOCKED');
  await expect(DirectoryLock.take(dir)).rejects.toMatchObject({ pid: 1, lockFile: undefined });
  first.child.stdin?.end();
  await first.ended;
  // A new container after a crash needs nobody's help.
  expect((await hold(dir, UNSHARE)).said).toBe('held');
});

test.runIf(process.platform === 'linux')('a killed process that nobody has asked for yet holds nothing', async () => {
  const dir = newDirectory();
  // A shell that starts the holder without any input, and turns into something that never asks.
  const { said } = await hold(dir, ['sh', '-c', '"$@" & exec tail -f /dev/null', 'sh']);
  expect(said).toBe('held');
  const { pid } = JSON.parse(readFileSync(join(dir, 'lock'), 'utf8')) as LockOwner;
  await expect.poll(() => parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8')).ended).toBe(true);
  await (await DirectoryLock.take(dir)).release();
});
