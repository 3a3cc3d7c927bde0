import { describe, expect, test } from 'vitest';
import type { ResyncRecord } from '../../src/index.js';
import { EmulatedLink } from '../sim/link.js';
import { collector, gate, logged, NOBODY, openReceiver, openSender, peer, text } from '../support/nodes.js';
import { atEnd, newDirectory } from '../support/temp.js';
import { until } from '../support/until.js';

/** A peer that cannot go on where it was gets the whole state anew, from whoever supplies it. */

const state = (...words: string[]): ResyncRecord[] => words.map((word) => ({ payload: text(word), kind: 7 }));

/** A sender whose queue no longer reaches back to the beginning, and a receiver that has seen nothing. */
async function senderWithoutBeginning(dir: string): Promise<void> {
  const first = await openReceiver();
  const sender = await openSender({ dir, peers: [peer(first.port)], historyBytes: 0, segmentBytes: 64 * 1024 });
  for (let i = 0; i < 20; i++) await sender.append(Buffer.alloc(16_000, i), { ack: 'logged' });
  await sender.close();
  await first.close();
}

describe('a receiver in the place of one that had acknowledged records', () => {
  test('gets what the option supplies, once, and then what follows', async () => {
    const dir = newDirectory();
    await senderWithoutBeginning(dir);
    const seen = collector();
    const receiver = await openReceiver({ apply: seen.apply });
    const asked: string[] = [];
    const sender = await openSender({
      dir,
      peers: [peer(receiver.port)],
      resync: (name) => {
        asked.push(name);
        return state('a', 'b', 'c');
      },
    });
    await sender.drain('applied');
    await sender.append(text('next'), { ack: 'applied' });
    expect(seen.texts()).toEqual(['a', 'b', 'c', 'next']);
    expect(asked).toEqual(['one']);
    expect(seen.records.map(({ kind }) => kind).slice(0, 3)).toEqual([7, 7, 7]);
  });

  test('RESYNC_REQUIRED where nobody supplies it, and nothing is overwritten', async () => {
    const dir = newDirectory();
    await senderWithoutBeginning(dir);
    const receiver = await openReceiver();
    const sender = await openSender({ dir, peers: [peer(receiver.port)] });
    await expect(sender.connected()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED', peer: 'one' });
    await expect(sender.append(text('x'), { ack: 'logged' })).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' });
    expect(sender.status().peers[0]).toMatchObject({ state: 'refused', problem: { code: 'RESYNC_REQUIRED' } });
    expect(receiver.status().logged).toBe(0);
  });

  test('does not count as having anything until it has all of it', async () => {
    const dir = newDirectory();
    await senderWithoutBeginning(dir);
    const waiting = await openSender({ dir, peers: [NOBODY] });
    await waiting.append(text('not sent yet'));
    await waiting.close();

    const seen = collector();
    const receiver = await openReceiver({ apply: seen.apply });
    const { opened, open } = gate();
    async function* slowly(): AsyncGenerator<ResyncRecord> {
      yield { payload: text('half of it') };
      await opened;
      yield { payload: text('all of it') };
    }
    const sender = await openSender({ dir, peers: [peer(receiver.port)], resync: slowly });
    let drained = false;
    const drain = sender.drain('logged').then(() => {
      drained = true;
    });
    await until('the first half', () => seen.texts().includes('half of it'));
    // An answer over the same connection comes after the acknowledgements before it.
    await sender.finish();
    expect(drained).toBe(false);
    expect(sender.status()).toMatchObject({ logged: 0, peers: [{ state: 'streaming', logged: 0 }] });
    open();
    await drain;
    expect((await logged(receiver, receiver.status().logged)).map(({ payload }) => payload.toString())).toEqual([
      'all of it',
    ]);
    expect(sender.status().logged).toBe(sender.status().appended);
  });

  test('gets everything again when the sender ended in the middle of it', async () => {
    const dir = newDirectory();
    await senderWithoutBeginning(dir);
    const seen = collector();
    const receiver = await openReceiver({ apply: seen.apply });
    async function* neverEnding(): AsyncGenerator<ResyncRecord> {
      yield { payload: text('first try') };
      await gate().opened;
    }
    const first = await openSender({ dir, peers: [peer(receiver.port)], resync: neverEnding });
    await until('the first record', () => seen.texts().includes('first try'));
    await first.close();
    const second = await openSender({
      dir,
      peers: [peer(receiver.port)],
      resync: () => state('second try', 'complete'),
    });
    await second.drain('applied');
    expect(seen.texts()).toEqual(['first try', 'second try', 'complete']);
    await second.close();
    const third = await openSender({ dir, peers: [peer(receiver.port)], resync: () => state('not asked') });
    await third.append(text('next'), { ack: 'applied' });
    expect(seen.texts().slice(2)).toEqual(['complete', 'next']);
  });

  test('is not given up when its connection breaks in the middle, and nobody is asked twice', async () => {
    const dir = newDirectory();
    await senderWithoutBeginning(dir);
    const seen = collector();
    const receiver = await openReceiver({ apply: seen.apply });
    const link = await EmulatedLink.open({ target: { port: receiver.port }, rateBytesPerSecond: 100e6 });
    atEnd(() => link.close());
    const { opened, open } = gate();
    let calls = 0;
    async function* slowly(): AsyncGenerator<ResyncRecord> {
      calls++;
      yield { payload: text('half of it') };
      await opened;
      yield { payload: text('all of it') };
    }
    const sender = await openSender({ dir, peers: [peer(link.port)], resync: slowly, connections: 1 });
    await until('the first half', () => seen.texts().includes('half of it'));
    // Another session or, if a further connection comes before both ends have noticed, the same one.
    const before = link.forwardBytes;
    link.cut();
    await until('another connection', () => link.forwardBytes > before);
    open();
    await sender.drain('applied');
    expect(seen.texts()).toEqual(['half of it', 'all of it']);
    expect(calls).toBe(1);
  });

  test('a supplier that fails is reported with its cause, and the next sender asks anew', async () => {
    const dir = newDirectory();
    await senderWithoutBeginning(dir);
    const seen = collector();
    const receiver = await openReceiver({ apply: seen.apply });
    const busy = new Error('the source is busy');
    async function* failing(): AsyncGenerator<ResyncRecord> {
      yield { payload: text('half of it') };
      throw busy;
    }
    const first = await openSender({ dir, peers: [peer(receiver.port)], resync: failing });
    await expect(first.drain('applied')).rejects.toMatchObject({ code: 'RESYNC_REQUIRED', cause: busy });
    expect(first.status().peers[0]).toMatchObject({ state: 'refused', applied: 0 });
    await first.close();
    const second = await openSender({ dir, peers: [peer(receiver.port)], resync: () => state('all of it') });
    await second.drain('applied');
    expect(seen.texts().at(-1)).toBe('all of it');
  });
});
