import { cpSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { ResyncRecord } from '../../src/index.js';
import { collector, gate, logged, NOBODY, openReceiver, openSender, peer, text } from '../support/nodes.js';
import { newDirectory } from '../support/temp.js';
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
    await sender.connected();
    await sender.append(text('next'), { ack: 'applied' });
    await sender.drain('applied');
    expect(seen.texts().filter((word) => word !== 'next')).toEqual(['a', 'b', 'c']);
    expect(seen.texts().at(-1)).toBe('next');
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

    const receiver = await openReceiver();
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
    await until('the first half', async () => (await logged(receiver, receiver.status().logged)).length > 0);
    await until('its acknowledgement', () => sender.status().peers[0]?.state === 'streaming');
    expect(drained).toBe(false);
    expect(sender.status().logged).toBeLessThan(sender.status().appended);
    open();
    await drain;
    const words = (await logged(receiver, receiver.status().logged - 1)).map(({ payload }) => payload.toString());
    expect(words).toEqual(['half of it', 'all of it']);
  });

  test('gets everything again when the sender ended in the middle of it', async () => {
    const dir = newDirectory();
    await senderWithoutBeginning(dir);
    const receiver = await openReceiver();
    const { opened } = gate();
    async function* cutShort(): AsyncGenerator<ResyncRecord> {
      yield { payload: text('first try') };
      await opened;
    }
    const first = await openSender({ dir, peers: [peer(receiver.port)], resync: cutShort });
    await until('the first record', () => receiver.status().logged > 20);
    const copy = newDirectory();
    cpSync(dir, copy, { recursive: true });
    void first;
    const port = receiver.port;
    const receiverDir = receiver;
    void receiverDir;
    const second = await openSender({ dir: copy, peers: [peer(port)], resync: () => state('second try', 'complete') });
    await first.close();
    await second.drain('logged');
    const words = (await logged(receiver, receiver.status().logged - 1)).map(({ payload }) => payload.toString());
    expect(words).toEqual(['second try', 'complete']);
  });

  test('a supplier that fails is reported, and asked again', async () => {
    const dir = newDirectory();
    await senderWithoutBeginning(dir);
    const seen = collector();
    const receiver = await openReceiver({ apply: seen.apply });
    let calls = 0;
    async function* failing(): AsyncGenerator<ResyncRecord> {
      calls++;
      yield { payload: text(`try ${calls}`) };
      if (calls === 1) throw new Error('the source is busy');
    }
    const sender = await openSender({ dir, peers: [peer(receiver.port)], resync: failing });
    await until('a second try', () => calls >= 2);
    await sender.drain('applied');
    expect(seen.texts().at(-1)).toBe('try 2');
  });
});
