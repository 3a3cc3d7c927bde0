import { describe, expect, test } from 'vitest';
import { collector, gate, openReceiver, openSender, peer, text } from '../support/nodes.js';
import { newDirectory } from '../support/temp.js';
import { until } from '../support/until.js';

describe('two receivers', () => {
  test('with one down, one is enough for a quorum of one, and all of them wait', async () => {
    const up = await openReceiver({ apply: () => {} });
    const downState = newDirectory();
    const down = await openReceiver({ dir: downState });
    const { port } = down;
    await down.close();
    const sender = await openSender({ peers: [peer(up.port, 'up'), peer(port, 'down')] });
    expect(await sender.append(text('x'), { ack: 'applied', quorum: 1 })).toBe(1);
    let all = false;
    const both = sender.append(text('y'), { ack: 'logged' }).then(() => {
      all = true;
    });
    await sender.append(text('z'), { ack: 'applied', quorum: 1 });
    expect(all).toBe(false);
    expect(sender.status()).toMatchObject({ appended: 3, logged: 0 });
    const back = await openReceiver({ dir: downState, listen: { host: '127.0.0.1', port } });
    await both;
    await until('the rest', () => back.status().logged === 3);
    expect(sender.status().peers.map(({ name, state }) => [name, state])).toEqual([
      ['up', 'streaming'],
      ['down', 'streaming'],
    ]);
  });

  test('one that refuses fails those who need both, and nobody else', async () => {
    const taken = await openReceiver({ apply: () => {} });
    const other = await openSender({ peers: [peer(taken.port)] });
    await other.append(text('of another volume'), { ack: 'logged' });
    await other.close();
    const { opened, open } = gate();
    const slow = await openReceiver({ apply: () => opened });
    const sender = await openSender({ peers: [peer(slow.port, 'slow'), peer(taken.port, 'taken')] });
    const one = sender.append(text('x'), { ack: 'applied', quorum: 1 });
    await expect(sender.append(text('y'), { ack: 'applied' })).rejects.toMatchObject({ code: 'VOLUME_MISMATCH' });
    await until('the refusal', () => sender.status().peers[1]?.state === 'refused');
    open();
    expect(await one).toBe(1);
    expect(await sender.append(text('z'), { ack: 'applied', quorum: 1 })).toBe(3);
    await expect(sender.append(text('y'), { ack: 'logged', quorum: 2 })).rejects.toMatchObject({
      code: 'VOLUME_MISMATCH',
    });
  });

  test('with giveUpAfterMs, one that cannot be reached fails those who need both, and nobody else', async () => {
    const { opened, open } = gate();
    const slow = await openReceiver({ apply: () => opened });
    const gone = await openReceiver();
    const { port } = gone;
    await gone.close();
    const sender = await openSender({ peers: [peer(slow.port, 'slow'), peer(port, 'gone')], giveUpAfterMs: 200 });
    const one = sender.append(text('x'), { ack: 'applied', quorum: 1 });
    await expect(sender.append(text('y'), { ack: 'applied' })).rejects.toMatchObject({
      code: 'PEER_UNREACHABLE',
      port,
    });
    await expect(sender.connected()).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' });
    open();
    expect(await one).toBe(1);
  });

  test('with giveUpAfterMs, both out of reach fail a quorum of one too', async () => {
    const [one, other] = [await openReceiver(), await openReceiver()];
    const peers = [peer(one.port, 'one'), peer(other.port, 'other')];
    await one.close();
    await other.close();
    const sender = await openSender({ peers, giveUpAfterMs: 100 });
    const waiting = sender.append(text('x'), { ack: 'logged', quorum: 1 });
    await expect(waiting).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' });
  });

  test.each([0, 1])(
    'giveUpAfterMs %d is told at once, and a peer that is there is still found',
    async (giveUpAfterMs) => {
      const gone = await openReceiver();
      await gone.close();
      const hopeless = await openSender({ peers: [peer(gone.port)], giveUpAfterMs });
      await expect(hopeless.connected()).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' });
      const receiver = await openReceiver({ apply: () => {} });
      const sender = await openSender({ peers: [peer(receiver.port)], giveUpAfterMs });
      await until('a session', () => sender.status().peers[0]?.state === 'streaming');
    },
  );

  test('one node under two names is not counted twice', async () => {
    const receiver = await openReceiver({ apply: () => {} });
    const sender = await openSender({ peers: [peer(receiver.port, 'one'), peer(receiver.port, 'other')] });
    const both = sender.append(text('x'), { ack: 'logged', quorum: 2 });
    await expect(both).rejects.toMatchObject({ code: 'INVALID_ARGUMENT', argument: 'peers' });
    await until('the first', () => receiver.status().logged === 1);
  });

  test('both get every record, in order', async () => {
    const seen = [collector(), collector()];
    const receivers = await Promise.all(seen.map(({ apply }) => openReceiver({ apply })));
    const sender = await openSender({ peers: receivers.map(({ port }, i) => peer(port, `peer ${i}`)) });
    await Promise.all(Array.from({ length: 500 }, (_, i) => sender.append(text(`${i}`))));
    await sender.drain('applied');
    for (const { texts } of seen) expect(texts()).toEqual(Array.from({ length: 500 }, (_, i) => `${i}`));
  });
});
