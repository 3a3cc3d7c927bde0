import { spawnSync } from 'node:child_process';
import { linkSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { StateLockedError } from '../../src/errors.js';
import { DirectoryLock, Journal } from '../../src/journal/journal.js';
import {
  judge,
  type LockOwner,
  parseStat,
  type SignsOfLife,
  SYSTEM_PROCESSES,
  type SystemProcesses,
} from '../../src/journal/lock/owner.js';
import { atEnd } from '../support/temp.js';
import { newDirectory, newJournal } from './harness.js';

/** A system of which the test says what runs: process numbers with their start times. */
function system(
  running: Record<number, string>,
  { boot = 'boot-1', pid = 10, namespace = 'pid:[1]', answer = 'unknown' as Answer } = {},
): SystemProcesses {
  return {
    pid,
    startedAt: async (of) => running[of],
    bootId: async () => boot,
    namespace: async () => namespace,
    listen: async () => undefined,
    judge(owner) {
      return judge(owner, this, { runs: (of) => of in running, answers: async () => answer });
    },
  };
}

type Answer = Awaited<ReturnType<SignsOfLife['answers']>>;

const US = { 10: 'start-10' };

function writeLock(dir: string, owner: Partial<LockOwner> | string): void {
  const text =
    typeof owner === 'string'
      ? owner
      : JSON.stringify({ token: 'abc', boot: 'boot-1', namespace: 'pid:[1]', ...owner });
  writeFileSync(join(dir, 'lock'), text);
}

describe('one holder at a time', () => {
  test('a second open in the same process is refused, until the first is closed', async () => {
    const dir = newDirectory();
    const journal = await Journal.open({ dir });
    atEnd(() => journal.close());
    await expect(Journal.open({ dir })).rejects.toMatchObject({ code: 'STATE_LOCKED', pid: process.pid });
    await expect(Journal.open({ dir: `${dir}/../${dir.split('/').at(-1)}/` })).rejects.toBeInstanceOf(StateLockedError);
    await journal.close();
    const again = await Journal.open({ dir });
    await again.close();
    expect(readdirSync(dir)).not.toContain('lock');
  });

  test('so is one in another process', async () => {
    const { dir } = await newJournal();
    const { pid, started, boot } = JSON.parse(readFileSync(join(dir, 'lock'), 'utf8')) as LockOwner;
    expect(pid).toBe(process.pid);
    if (process.platform === 'linux')
      expect([started, boot]).toEqual([expect.stringMatching(/^\d+$/), expect.any(String)]);
    const other: SystemProcesses = { ...SYSTEM_PROCESSES, pid: 1 };
    const elsewhere = newDirectory();
    linkSync(join(dir, 'lock'), join(elsewhere, 'lock'));
    await expect(DirectoryLock.take(elsewhere, other)).rejects.toMatchObject({
      code: 'STATE_LOCKED',
      pid: process.pid,
    });
  });

  test('a failed open lets go', async () => {
    const { journal, dir } = await newJournal();
    await journal.close();
    await expect(Journal.open({ dir, volume: 'e'.repeat(32) })).rejects.toMatchObject({ argument: 'volume' });
    await (await Journal.open({ dir })).close();
  });

  test('release twice, and after someone else has taken over, harms nothing', async () => {
    const dir = newDirectory();
    const lock = await DirectoryLock.take(dir, system(US));
    writeLock(dir, { pid: 11, started: 'start-11' });
    await lock.release();
    await lock.release();
    expect(readdirSync(dir)).toEqual(['lock']);
  });

  test('a missing directory', async () => {
    await expect(DirectoryLock.take(join(newDirectory(), 'none'))).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });
});

describe('a lock that was left behind', () => {
  const stale: [string, Partial<LockOwner> | string][] = [
    ['by a process that is gone', { pid: 99, started: 'start-99' }],
    ['by a process whose number another one has now', { pid: 20, started: 'earlier' }],
    ['by our own number in an earlier life', { pid: 10, started: 'earlier' }],
    ['before the system was started anew', { pid: 20, started: 'start-20', boot: 'boot-0' }],
    ['empty, by a power cut', ''],
    ['as garbage', '{"pid": "x"'],
  ];
  test.each(stale)('%s is taken over', async (_, owner) => {
    const dir = newDirectory();
    writeLock(dir, owner);
    const lock = await DirectoryLock.take(dir, system({ ...US, 20: 'start-20' }));
    expect(readdirSync(dir)).toEqual(['lock']);
    await lock.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  test.each([
    ['that is the same one', { pid: 20, started: 'start-20' }],
    ['whose start time nobody knows', { pid: 20 }],
  ])('by a process that runs, %s, is not', async (_, owner) => {
    const dir = newDirectory();
    writeLock(dir, owner);
    await expect(DirectoryLock.take(dir, system({ ...US, 20: 'start-20' }))).rejects.toMatchObject({ pid: 20 });
    expect(readdirSync(dir)).toEqual(['lock']);
  });

  test('by a real process that has ended', async () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    const dir = newDirectory();
    const { bootId, namespace } = SYSTEM_PROCESSES;
    writeLock(dir, { pid, started: '1', boot: await bootId(), namespace: await namespace() });
    await (await DirectoryLock.take(dir)).release();
  });

  test('together with the guard of one that died while taking over', async () => {
    const dir = newDirectory();
    writeLock(dir, { pid: 99, started: 'x', token: 'aaa' });
    writeFileSync(
      join(dir, 'lock.aaa'),
      JSON.stringify({ pid: 98, started: 'x', boot: 'boot-1', namespace: 'pid:[1]', token: 'bbb' }),
    );
    const lock = await DirectoryLock.take(dir, system(US));
    expect(readdirSync(dir)).toEqual(['lock']);
    await lock.release();
  });
});

describe('a lock of another container', () => {
  const socket = { name: `lock.${'0'.repeat(32)}.socket`, inode: '1:2' };
  // The number is that of a process here too, which says nothing.
  const cases: [string, Partial<LockOwner>, Answer, 'alive' | 'gone' | 'unknown'][] = [
    ['whose socket answers', { socket }, 'yes', 'alive'],
    ['whose socket refuses', { socket }, 'no', 'gone'],
    ['whose socket is missing', { socket }, 'unknown', 'unknown'],
    ['that has no socket', {}, 'no', 'unknown'],
    ['whose socket is none of ours', { socket: { name: '../../some.socket', inode: '1:2' } }, 'no', 'unknown'],
    ['on a system that was started anew', { socket, boot: 'boot-0' }, 'yes', 'gone'],
  ];
  test.each(cases)('%s', async (_, owner, answer, verdict) => {
    const dir = newDirectory();
    writeLock(dir, { pid: 10, started: 'start-10', namespace: 'pid:[2]', ...owner });
    const taking = DirectoryLock.take(dir, system(US, { answer }));
    if (verdict === 'gone') return (await taking).release();
    const lockFile = verdict === 'unknown' ? join(dir, 'lock') : undefined;
    await expect(taking).rejects.toMatchObject({ code: 'STATE_LOCKED', pid: 10, lockFile });
    expect(readdirSync(dir)).toEqual(['lock']);
  });

  test('of which it is not known which container', async () => {
    const dir = newDirectory();
    writeLock(dir, { pid: 99, started: 'x', namespace: undefined });
    const text = /another container.* remove .*lock when it is surely gone/;
    await expect(DirectoryLock.take(dir, system(US))).rejects.toThrow(text);
  });
});

describe('the end of a process, as the system tells it', () => {
  const line = (state: string, threads: number) =>
    `7 (a) b (c) ${state} ${'0 '.repeat(16)}${threads} 0 4711 ${'0 '.repeat(30)}`;
  test.each([
    ['S', 5, false],
    ['R', 1, false],
    ['Z', 1, true],
    ['X', 1, true],
    // Killed, while one of its threads waits for the disk.
    ['Z', 2, false],
  ])('state %s with %i threads', (state, threads, ended) => {
    expect(parseStat(line(state, threads))).toEqual({ started: '4711', ended });
  });
});

describe('two contenders for a stale lock', () => {
  /**
   * Takes the lock as process 11 through another path to the same directory would: the registry of this process does
   * not know of it. Pauses before the given question to the system, so that every interleaving can be tried.
   */
  function paused(
    pid: number,
    pauseAt: number,
  ): { processes: SystemProcesses; reached: Promise<void>; go: () => void } {
    let go = () => {};
    let arrive = () => {};
    const reached = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    let questions = 0;
    const base = system({ 10: 'start-10', 11: 'start-11' }, { pid });
    const processes: SystemProcesses = {
      ...base,
      async judge(owner, where) {
        const answer = await base.judge(owner, where);
        if (questions++ === pauseAt) {
          arrive();
          await gate;
        }
        return answer;
      },
    };
    return { processes, reached, go };
  }

  test('only one wins when one is held up after it saw the stale lock', async () => {
    const dir = newDirectory();
    writeLock(dir, { pid: 99, started: 'x' });
    const slow = paused(11, 0);
    const attempt = takeUnregistered(dir, slow.processes);
    await slow.reached;
    const lock = await DirectoryLock.take(dir, system({ ...US, 11: 'start-11' }));
    slow.go();
    await expect(attempt).rejects.toMatchObject({ code: 'STATE_LOCKED', pid: 10 });
    expect(JSON.parse(readFileSync(join(dir, 'lock'), 'utf8'))).toMatchObject({ pid: 10 });
    await lock.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  test('many at once, in processes of their own', async () => {
    const dir = newDirectory();
    writeLock(dir, { pid: 99, started: 'x' });
    const pids = Array.from({ length: 12 }, (_, index) => 100 + index);
    const running = Object.fromEntries(pids.map((pid) => [pid, `start-${pid}`]));
    const results = await Promise.allSettled(pids.map((pid) => takeUnregistered(dir, system(running, { pid }))));
    const winners = results.filter((result) => result.status === 'fulfilled');
    expect(winners.length).toBeLessThanOrEqual(1);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(StateLockedError);
    }
    expect(readdirSync(dir).filter((name) => name !== 'lock')).toEqual([]);
  });

  /** A copy of the module has a registry of its own, as another process would. */
  async function takeUnregistered(dir: string, processes: SystemProcesses): Promise<unknown> {
    const { vi } = await import('vitest');
    vi.resetModules();
    const copy = await import('../../src/journal/lock/lock.js');
    return copy.DirectoryLock.take(dir, processes).catch((error: Error) => {
      // The copy has error classes of its own as well.
      if (error.name === 'StateLockedError') throw new StateLockedError(dir, (error as StateLockedError).pid);
      throw error;
    });
  }
});
