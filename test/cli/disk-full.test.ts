import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { receiver, run } from '../support/cli.js';
import { compareTrees } from '../support/compare.js';
import { atEnd, newDirectory } from '../support/temp.js';

/** A disk that fills on either side: a clear error, nothing lost, and the same command completes once there is room. */

const mount = (...args: string[]): boolean => spawnSync('mount', args).status === 0;

function smallDisk(): string | undefined {
  const dir = newDirectory();
  if (!mount('-t', 'tmpfs', '-o', 'size=12m', 'none', dir)) return undefined;
  atEnd(() => {
    spawnSync('umount', ['-l', dir]);
  });
  return dir;
}

test.each(['state', 'replica', 'queue'])(
  'the disk of the %s',
  async (full) => {
    const disk = process.geteuid?.() === 0 ? smallDisk() : undefined;
    if (disk === undefined) return console.log('skipped: only root on Linux can mount a small disk');
    const dir = newDirectory();
    const source = join(dir, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'large'), randomBytes(20_000_000));
    const place = (what: string): string => join(what === full ? disk : dir, what);
    const receive = ['--state', place('state'), '--into', place('replica'), '--once', '--json'];
    const send = ['send', '--state', place('queue'), '--from', source, '--once', '--json', '--to'];
    const first = await receiver(...receive);
    const sent = await run(...send, first.address);
    expect(sent.code).toBe(1);
    expect(JSON.stringify(sent.json)).toContain('DISK_FULL');
    if (full === 'queue') first.process.kill('SIGTERM');
    const received = await first.process.ended;
    expect(received.code).toBe(full === 'queue' ? 130 : 1);
    if (full !== 'queue') expect(received.json).toMatchObject({ error: { code: 'DISK_FULL' } });
    expect(mount('-o', 'remount,size=100m', disk)).toBe(true);
    const second = await receiver(...receive);
    expect((await run(...send, second.address)).json).toMatchObject({ verified: true });
    expect((await second.process.ended).code).toBe(0);
    expect(compareTrees(source, place('replica'))).toEqual([]);
  },
  60_000,
);
