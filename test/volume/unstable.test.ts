import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Descriptor } from '../../src/volume/descriptor.js';
import { letFilesSettle } from '../support/clock.js';
import { contentOf } from '../support/files.js';
import { Pair } from '../support/pair.js';
import { atEnd } from '../support/temp.js';
import { eventsOf } from '../support/until.js';

/** Files that change, grow, shrink or go while they are read. */

const MIB = 1024 * 1024;
let pair: Pair;
const at = (path: string): string => join(pair.source, path);

beforeEach(async () => {
  pair = Pair.at();
  writeFileSync(at('small'), contentOf(1, 5000));
  writeFileSync(at('large'), contentOf(3, 3 * MIB + 5));
  await pair.openReceiver();
  await pair.openSender();
});

/** Calls `change` after each of the first `times` reads of that file by the library. */
function whenRead(path: string, times: number, change: (nth: number) => void): void {
  const { ino } = statSync(at(path), { bigint: true });
  const original = Descriptor.prototype.read;
  let reads = 0;
  const spy = vi.spyOn(Descriptor.prototype, 'read').mockImplementation(async function (
    this: Descriptor,
    buffer,
    position,
  ) {
    const isMeant = this.stat().ino === ino;
    const length = await original.call(this, buffer, position);
    if (isMeant && reads < times) change(++reads);
    return length;
  });
  atEnd(() => spy.mockRestore());
}

const CHANGES: Record<string, (path: string) => (nth: number) => void> = {
  'is written to': (path) => (nth) => writeFileSync(at(path), contentOf(nth + 10, statSync(at(path)).size)),
  grows: (path) => () => appendFileSync(at(path), 'more and more'),
  shrinks: (path) => () => truncateSync(at(path), Math.floor(statSync(at(path)).size / 2)),
  'is replaced': (path) => (nth) => {
    writeFileSync(at('aside'), contentOf(nth + 10, 7000));
    renameSync(at('aside'), at(path));
  },
  goes: (path) => () => rmSync(at(path), { force: true }),
  'becomes a directory': (path) => (nth) => {
    if (nth > 1) return;
    rmSync(at(path));
    mkdirSync(at(path));
  },
  'becomes a link': (path) => (nth) => {
    if (nth > 1) return;
    rmSync(at(path));
    symlinkSync('small', at(path));
  },
};

describe.each(['small', 'large'])('a %s file that', (path) => {
  test.each(Object.entries(CHANGES))('%s while it is read is right in the end', async (_, change) => {
    whenRead(path, 2, change(path));
    await pair.sync();
    // What vanished in between is found by the next look at the latest.
    await pair.sync();
    expect(pair.differences()).toEqual([]);
  });

  test('never holds still crosses as it is found, is reported, and is right once it does', async () => {
    const unstable = eventsOf('unstable');
    whenRead(path, 1000, CHANGES.grows?.(path) as () => void);
    const result = await pair.volume.sync();
    expect(result.unstable).toBe(1);
    expect(unstable.length).toBeGreaterThan(0);
    expect(unstable[0]).toMatchObject({ path });
    await pair.sender.drain('applied');
    const copy = readFileSync(join(pair.into, path));
    expect(copy.equals(readFileSync(at(path)).subarray(0, copy.byteLength))).toBe(true);
    vi.restoreAllMocks();
    await pair.sync();
    expect(pair.differences()).toEqual([]);
  });
});

test('a large file that will not hold still does not cost others what was moved aside for them', async () => {
  letFilesSettle();
  mkdirSync(at('z'));
  writeFileSync(at('z/inside'), contentOf(20, 50_000));
  await pair.sync();
  // The moved file waits aside until the directory in its way has gone, and the large one comes before it.
  renameSync(at('small'), at('x'));
  rmSync(at('z'), { recursive: true });
  renameSync(at('x'), at('z'));
  appendFileSync(at('large'), 'more');
  whenRead('large', 8, () => appendFileSync(at('large'), '.'));
  expect(await pair.volume.sync()).toMatchObject({ moved: 1 });
  await pair.sender.drain('applied');
  expect(pair.differences()).toEqual([]);
});

const isRoot = process.getuid?.() === 0;

describe('what does not cross', () => {
  test('pipes and sockets are reported by name, and the rest is complete', async () => {
    spawnSync('mkfifo', [at('pipe')]);
    const skipped = eventsOf('skipped');
    await pair.sync();
    expect(pair.differences()).toEqual([]);
    expect(skipped).toContainEqual({ path: 'pipe', reason: expect.stringContaining('pipe') });
  });

  test.skipIf(isRoot)('what cannot be read keeps its last copy, and the run says so (not as root)', async () => {
    await pair.sync();
    spawnSync('chmod', ['000', at('small')]);
    appendFileSync(at('large'), 'more');
    await expect(pair.volume.sync()).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE', paths: ['small'], count: 1 });
    await pair.sender.drain('applied');
    expect(statSync(join(pair.into, 'large')).size).toBe(statSync(at('large')).size);
    expect(statSync(join(pair.into, 'small')).size).toBe(5000);
  });

  test('what the disk does not give keeps its last copy, and the run says so', async () => {
    await pair.sync();
    appendFileSync(at('small'), 'more');
    appendFileSync(at('large'), 'more');
    const { ino } = statSync(at('small'), { bigint: true });
    const original = Descriptor.prototype.read;
    vi.spyOn(Descriptor.prototype, 'read').mockImplementation(async function (this: Descriptor, buffer, position) {
      if (this.stat().ino === ino) throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
      return original.call(this, buffer, position);
    });
    await expect(pair.volume.sync()).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE', paths: ['small'], count: 1 });
    vi.restoreAllMocks();
    await pair.sender.drain('applied');
    expect(statSync(join(pair.into, 'large')).size).toBe(statSync(at('large')).size);
    expect(statSync(join(pair.into, 'small')).size).toBe(5000);
    await pair.sync();
    expect(pair.differences()).toEqual([]);
  });
});
