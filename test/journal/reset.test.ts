import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { PAGE_BYTES } from '../../src/journal/format/format.js';
import { Journal } from '../../src/journal/journal.js';
import { FaultyFileSystem } from './faults.js';
import { contents, fileBytes, newDirectory, newJournal, openJournal, SEGMENT_BYTES_MIN, VOLUME } from './harness.js';

const OTHER = 'f'.repeat(32);

test('drops everything and goes on at the given number', async () => {
  const { journal, dir } = await newJournal({ volume: VOLUME, epoch: 7 });
  for (let index = 0; index < 5; index++) await journal.append(Buffer.alloc(50_000));
  const cursor = journal.cursor('peer');
  await cursor.advance(3);
  await journal.reset(100, 55n);
  expect(journal).toMatchObject({ first: 100, last: 99, assigned: 99, lastChain: 55n, volume: VOLUME });
  expect(cursor).toMatchObject({ position: 99, chain: 55n });
  expect([await journal.chainAt(99), await journal.chainAt(98), await journal.chainAt(5)]).toEqual([
    55n,
    undefined,
    undefined,
  ]);
  const names = readdirSync(dir).filter((name) => !name.endsWith('.socket'));
  expect(names.sort()).toEqual(['0000000000000064.log', 'cursors', 'lock']);
  expect(journal.status()).toMatchObject({ diskBytes: fileBytes(dir), queueBytes: 0 });
  expect(fileBytes(dir)).toBe(PAGE_BYTES);
  expect(await journal.append(Buffer.from('new'))).toBe(100);
  await cursor.advance(100);
  await journal.close();
  const again = await openJournal({ dir });
  expect(again).toMatchObject({ first: 100, last: 100 });
  expect(await contents(again)).toEqual(['new']);
  expect(again.cursor('peer').position).toBe(100);
});

test('takes another volume, to lower numbers and epochs too', async () => {
  const { journal, dir } = await newJournal({ volume: VOLUME, epoch: 7 });
  await journal.appendMany([Buffer.from('a'), Buffer.from('b')]);
  await journal.reset(1, 0n, { volume: OTHER });
  expect(journal).toMatchObject({ first: 1, last: 0, volume: OTHER });
  const { journal: source } = await newJournal({ epoch: 2 });
  await source.append(Buffer.from('theirs'));
  for await (const batch of source.readBatches(1)) await journal.appendReplicated(batch);
  expect(journal.lastChain).toBe(source.lastChain);
  await journal.close();
  expect((await openJournal({ dir, volume: OTHER })).last).toBe(1);
});

test('records with a number are written before, those that wait for one come after', async () => {
  const { journal } = await newJournal({ pendingBytesMax: SEGMENT_BYTES_MIN });
  const numbered = journal.append(Buffer.alloc(70_000));
  const waiting = journal.append(Buffer.from('after'));
  const resets = [journal.reset(10, 1n), journal.reset(20, 2n)];
  expect(await numbered).toBe(1);
  await Promise.all(resets);
  expect(journal.first).toBe(20);
  expect(await waiting).toBeLessThanOrEqual(20);
  expect(await journal.append(Buffer.from('last'))).toBe(journal.last);
});

test('nothing is freed while segments go', async () => {
  const faulty = new FaultyFileSystem();
  const { journal } = await newJournal({ fs: faulty.fs, historyBytes: 0 });
  const cursor = journal.cursor('peer');
  for (let index = 0; index < 5; index++) await journal.append(Buffer.alloc(50_000));
  const release = faulty.holdNext('file.sync');
  const resetting = journal.reset(100, 55n);
  await expect.poll(() => faulty.holding).toBe(true);
  const before = faulty.calls.length;
  await cursor.advance(5);
  expect([journal.first, faulty.calls.slice(before).includes('rename')]).toEqual([1, false]);
  release();
  await resetting;
  expect(await journal.append(Buffer.from('new'))).toBe(100);
});

test('a failure at each call leaves the old journal or the new one', async () => {
  const outcomes = new Set<string>();
  for (let target = 0, done = false; !done; target++) {
    const dir = newDirectory();
    const before = await openJournal({ dir, volume: VOLUME });
    for (let index = 0; index < 3; index++) await before.append(Buffer.alloc(50_000, index));
    await before.cursor('a').advance(1);
    await before.cursor('b').advance(2);
    await before.close();

    let counting = Number.POSITIVE_INFINITY;
    const faulty = new FaultyFileSystem((index) => index === counting);
    const journal = await Journal.open({ dir, fs: faulty.fs });
    await Promise.all(journal.cursors().map((cursor) => cursor.advance(0)));
    counting = faulty.calls.length + target;
    done = await journal.reset(50, 9n, { volume: OTHER }).then(
      () => true,
      () => false,
    );
    await journal.close().catch(() => {});
    const name = `call ${target}: ${faulty.calls[counting]}`;

    const again = await openJournal({ dir });
    const isNew = again.volume === OTHER;
    outcomes.add(isNew ? 'new' : 'old');
    expect(isNew || !done, name).toBe(true);
    expect([again.first, again.last, again.lastChain === 9n], name).toEqual(isNew ? [50, 49, true] : [1, 3, false]);
    const positions = again.cursors().map((cursor) => cursor.position);
    expect(positions, name).toEqual(isNew ? [49, 49] : [1, 2]);
    expect(await again.append(Buffer.from('next')), name).toBe(isNew ? 50 : 4);
    await again.close();
    expect(
      readdirSync(dir).filter((file) => /reset|tmp/.test(file)),
      name,
    ).toEqual([]);
  }
  expect([...outcomes].sort()).toEqual(['new', 'old']);
});
