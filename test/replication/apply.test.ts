import { describe, expect, test } from 'vitest';
import { collector, openReceiver, openSender, peer, text } from '../support/nodes.js';
import { newDirectory } from '../support/temp.js';
import { eventsOf, until } from '../support/until.js';

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i + 1}`);

describe('an apply that throws', () => {
  test('stalls, is reported, is tried again, and leaves nothing out and nothing twice', async () => {
    const seen = collector();
    const problems = eventsOf('apply');
    let failures = 2;
    const receiver = await openReceiver({
      apply: (record) => {
        if (record.sequence === 3 && failures-- > 0) throw new Error('the table is locked');
        seen.apply(record);
      },
    });
    const sender = await openSender({ peers: [peer(receiver.port)] });
    for (const word of numbers(6)) await sender.append(text(word));
    await until('the stall at the sender', () => sender.status().peers[0]?.problem !== undefined);
    expect(sender.status().peers[0]?.problem?.message).toContain('the table is locked');
    await sender.drain('applied');
    expect(seen.texts()).toEqual(numbers(6));
    expect(problems).toHaveLength(2);
    expect(problems[0]).toMatchObject({ sequence: 3, problem: { code: 'APPLY_FAILED', sequence: 3 } });
    expect(problems[1]?.retryMs).toBeGreaterThan(problems[0]?.retryMs ?? 0);
    expect(receiver.status().problem).toBeUndefined();
    expect(sender.status().peers[0]?.problem).toBeUndefined();
  });

  test('that rejects later is the same', async () => {
    const seen = collector();
    let failures = 1;
    const receiver = await openReceiver({
      apply: async (record) => {
        await new Promise(setImmediate);
        if (record.sequence === 2 && failures-- > 0)
          throw Object.assign(new Error('no space'), { code: 'ENOSPC', path: '/db' });
        seen.apply(record);
      },
    });
    const problems = eventsOf('apply');
    const sender = await openSender({ peers: [peer(receiver.port)] });
    for (const word of numbers(3)) await sender.append(text(word));
    await sender.drain('applied');
    expect(seen.texts()).toEqual(numbers(3));
    expect(problems[0]?.problem).toMatchObject({ code: 'DISK_FULL', path: '/db' });
  });

  test('does not keep records from being logged and acknowledged as logged', async () => {
    const receiver = await openReceiver({
      apply: () => {
        throw new Error('never');
      },
    });
    const sender = await openSender({ peers: [peer(receiver.port)] });
    for (const word of numbers(5)) await sender.append(text(word), { ack: 'logged' });
    expect(receiver.status()).toMatchObject({ logged: 5, applied: 0, problem: { code: 'APPLY_FAILED' } });
    expect(receiver.status().oldestUnappliedMs).toBeGreaterThanOrEqual(0);
    expect(receiver.status().queueBytes).toBeGreaterThan(0);
  });

  test('tells callers that asked not to wait for long', async () => {
    const receiver = await openReceiver({
      apply: () => {
        throw new Error('never');
      },
    });
    const sender = await openSender({ peers: [peer(receiver.port)], giveUpAfterMs: 1000 });
    const waiting = sender.append(text('x'), { ack: 'applied' });
    await expect(waiting).rejects.toMatchObject({ code: 'PEER_REFUSED', peerCode: 'APPLY_FAILED', recoverable: true });
  });
});

describe('a receiver that is closed and opened again', () => {
  test('applies what it had not, and nothing that was acknowledged as applied twice', async () => {
    const dir = newDirectory();
    const seen = collector();
    const first = await openReceiver({
      dir,
      apply: (record) => {
        if (record.sequence > 3) throw new Error('not now');
        seen.apply(record);
      },
    });
    const sender = await openSender({ peers: [peer(first.port)] });
    for (const word of numbers(3)) await sender.append(text(word), { ack: 'applied' });
    for (const word of numbers(3)) await sender.append(text(`later ${word}`), { ack: 'logged' });
    await first.close();
    const again = collector();
    const { port } = first;
    await openReceiver({ dir, listen: { host: '127.0.0.1', port }, apply: again.apply });
    await sender.drain('applied');
    expect(seen.texts()).toEqual(numbers(3));
    expect(again.texts()).toEqual(['later 1', 'later 2', 'later 3']);
  });

  test('keeps its records for whoever reads them', async () => {
    const dir = newDirectory();
    const first = await openReceiver({ dir, apply: () => {} });
    const sender = await openSender({ peers: [peer(first.port)] });
    for (const word of numbers(4)) await sender.append(text(word), { ack: 'applied' });
    await first.close();
    const second = await openReceiver({ dir });
    const read: string[] = [];
    for await (const { payload } of second.records(2)) read.push(payload.toString());
    expect(read).toEqual(['2', '3', '4']);
  });

  test('can be read while it grows', async () => {
    const receiver = await openReceiver();
    const sender = await openSender({ peers: [peer(receiver.port)] });
    const abort = new AbortController();
    const read: string[] = [];
    const reading = (async () => {
      for await (const { payload } of receiver.records(1, { follow: true, signal: abort.signal })) {
        read.push(payload.toString());
        if (read.length === 50) abort.abort();
      }
    })().catch((error: unknown) => expect(error).toMatchObject({ code: 'ABORTED' }));
    for (const word of numbers(50)) await sender.append(text(word));
    await reading;
    expect(read).toEqual(numbers(50));
  });
});
