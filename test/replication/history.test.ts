import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type Events,
  engine,
  type Receiver,
  type ReceiverOptions,
  type Sender,
  type SenderOptions,
} from '../../src/index.js';
import { flipBit } from '../journal/harness.js';
import { logged, openReceiver, openSender, peer } from '../support/nodes.js';
import { randomFor } from '../support/seed.js';
import { atEnd, newDirectory } from '../support/temp.js';

/** What crossed in earlier sessions is referred to in later ones, as long as both ends can read it. */

const RECORDS = 40;
const RECORD_BYTES = 20_000;

/** Text in which nothing comes twice. */
function texts(number: number): Buffer[] {
  const random = randomFor(number);
  return Array.from({ length: RECORDS }, () => Buffer.from(random.bytes(RECORD_BYTES / 2).toString('hex')));
}

interface Ends {
  sender: Sender;
  receiver: Receiver;
}

/** Both ends on the same two directories, opened as often as a test wants. */
function ends(sender: Partial<SenderOptions> = {}, receiver: Partial<ReceiverOptions> = {}) {
  const [sent, received] = [newDirectory(), newDirectory()];
  const small = { segmentBytes: 64 * 1024 };
  return {
    sent,
    received,
    async open(): Promise<Ends> {
      const there = await openReceiver({ dir: received, apply: () => {}, ...small, ...receiver });
      const here = await openSender({ dir: sent, peers: [peer(there.port)], ...small, ...sender });
      return { sender: here, receiver: there };
    },
  };
}

/** Sends them, and returns the bytes that this took. */
async function send({ sender }: Ends, payloads: readonly Buffer[]): Promise<number> {
  await sender.connected();
  const before = sender.status().wireBytesSent;
  await Promise.all(payloads.map((payload) => sender.append(payload)));
  await sender.drain('applied');
  return sender.status().wireBytesSent - before;
}

async function close({ sender, receiver }: Ends): Promise<void> {
  await sender.close();
  await receiver.close();
}

/** Changes a bit in the middle of the first segment of a journal, which no open reads whole. */
function damage(dir: string): void {
  const [first = ''] = readdirSync(dir)
    .filter((name) => name.endsWith('.log'))
    .sort();
  flipBit(join(dir, first), 30_000);
}

describe.runIf(engine.codecs.includes('zstd'))('what crossed before', () => {
  const all = texts(321);
  const bytes = RECORDS * RECORD_BYTES;

  test.each(['auto', 'zstd:1'] as const)(
    'costs next to nothing after both ends were restarted (%s)',
    async (compress) => {
      const pair = ends({ compress });
      let opened = await pair.open();
      expect(await send(opened, all)).toBeGreaterThan(bytes * 0.45);
      await close(opened);
      opened = await pair.open();
      expect(await send(opened, all.toReversed())).toBeLessThan(bytes * 0.02);
      expect(opened.sender.status().peers[0]?.codec).toBe('zstd');
      const records = await logged(opened.receiver, RECORDS + 1);
      expect(Buffer.concat(records.map(({ payload }) => payload)).equals(Buffer.concat(all.toReversed()))).toBe(true);
    },
  );

  test('is sent again when the receiver keeps no history', async () => {
    const pair = ends({}, { historyBytes: 0 });
    let opened = await pair.open();
    await send(opened, all);
    await close(opened);
    opened = await pair.open();
    expect(await send(opened, all)).toBeGreaterThan(bytes * 0.4);
    expect(opened.receiver.status().logged).toBe(2 * RECORDS);
  });

  test.each([
    ['the receiver, which asks for it anew', (pair: ReturnType<typeof ends>) => join(pair.received, 'log'), true],
    ['the sender, which does without it', (pair: ReturnType<typeof ends>) => join(pair.sent, 'queue'), false],
  ])('is restored, but for what is damaged at %s', async (_, dirOf, misses) => {
    const pair = ends();
    let opened = await pair.open();
    await send(opened, all);
    await close(opened);
    damage(dirOf(pair));
    const problems: unknown[] = [];
    const note = (event: unknown) =>
      problems.push(((event as Events['peer']).problem as { code?: string } | undefined)?.code);
    subscribe('longhaul:peer', note);
    atEnd(() => unsubscribe('longhaul:peer', note));
    opened = await pair.open();
    const sent = await send(opened, all);
    expect(problems.filter((code) => code !== undefined && code !== 'CONNECTION_LOST')).toEqual([]);
    expect(sent).toBeLessThan(bytes * 0.1);
    expect(opened.sender.status().peers[0]?.misses).toBe(opened.receiver.status().misses);
    expect(opened.receiver.status().misses > 0).toBe(misses);
    const records = await logged(opened.receiver, RECORDS + 1);
    expect(Buffer.concat(records.map(({ payload }) => payload)).equals(Buffer.concat(all))).toBe(true);
    // The next session has what is sound.
    await close(opened);
    opened = await pair.open();
    expect(await send(opened, all)).toBeLessThan(bytes * 0.02);
    expect(opened.receiver.status()).toMatchObject({ logged: 3 * RECORDS, misses: 0 });
  });
});
