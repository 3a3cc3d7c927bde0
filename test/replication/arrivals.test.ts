import { describe, expect, test } from 'vitest';
import { MEMBERS_MAX } from '../../src/channel/channel.js';
import { encodeJoin, type Join } from '../../src/channel/join.js';
import {
  decodeRefusal,
  decodeReply,
  decodeWelcome,
  encodeHello,
  encodeQuery,
  encodeStart,
  FrameType,
  PROTOCOL_VERSION,
} from '../../src/channel/messages.js';
import type { Receiver } from '../../src/index.js';
import { openReceiver } from '../support/nodes.js';
import { until } from '../support/until.js';
import { Wire } from '../support/wire.js';

/** Further connections that come to a receiver, from a sender made by hand. */

const NODE = 'a'.repeat(32);
const VOLUME = 'b'.repeat(32);

interface Greeted {
  receiver: Receiver;
  lead: Wire;
  join: Join;
  start: () => Promise<void>;
}

async function greeted(): Promise<Greeted> {
  const receiver = await openReceiver({ apply: () => {} });
  const lead = await Wire.dial(receiver.port);
  const versions = { versionMin: PROTOCOL_VERSION, versionMax: PROTOCOL_VERSION };
  lead.send(FrameType.hello, encodeHello({ ...versions, node: NODE, volume: VOLUME, epoch: 1, last: 0, adopt: false }));
  const { session, token, chain } = decodeWelcome(await lead.expect(FrameType.welcome));
  const start = async (): Promise<void> => {
    lead.send(FrameType.start, encodeStart({ from: 1, chain, reset: false, windowBytes: 1 << 22 }));
    await lead.expect(FrameType.ready);
    await lead.expect(FrameType.ack);
  };
  return { receiver, lead, join: { session, token, path: 0, spare: false }, start };
}

async function asked(receiver: Receiver, join: Join | Buffer): Promise<Wire> {
  const wire = await Wire.dial(receiver.port);
  wire.send(FrameType.join, Buffer.isBuffer(join) ? join : encodeJoin(join));
  return wire;
}

/** The session runs: it answers, even if only that it does not know what is asked. */
async function checkAlive(by: Wire, from: Wire = by): Promise<void> {
  by.send(FrameType.query, encodeQuery({ id: 5, name: 'nothing', body: Buffer.alloc(0) }));
  expect(decodeReply(await from.expect(FrameType.reply)).id).toBe(5);
}

async function checkRefused(wire: Wire): Promise<void> {
  expect(decodeRefusal(await wire.expect(FrameType.refuse))).toMatchObject({
    code: 'SESSION_UNKNOWN',
    recoverable: true,
  });
  expect(await wire.next()).toBeUndefined();
}

describe('a further connection', () => {
  test('joins the session that runs, and carries its frames', async () => {
    const { receiver, lead, join, start } = await greeted();
    await start();
    const wire = await asked(receiver, join);
    await wire.expect(FrameType.joined);
    wire.session = join.session;
    lead.socket.destroy();
    await checkAlive(wire);
    expect(receiver.status().connected).toBe(true);
  });

  test('leaves the session to the others when it goes', async () => {
    const { receiver, lead, join, start } = await greeted();
    await start();
    const wire = await asked(receiver, join);
    await wire.expect(FrameType.joined);
    wire.socket.destroy();
    await checkAlive(lead);
    expect(receiver.status().connected).toBe(true);
  });

  test.each<[string, (join: Join) => Join]>([
    ['with a wrong token', (join) => ({ ...join, token: Buffer.alloc(16, 1) })],
    ['for a session that there is not', (join) => ({ ...join, session: join.session ^ 1n })],
    ['for no session', (join) => ({ ...join, session: 0n })],
  ])('%s is refused, and the session goes on', async (_name, change) => {
    const { receiver, lead, join, start } = await greeted();
    await start();
    await checkRefused(await asked(receiver, change(join)));
    await checkAlive(lead);
  });

  test('of which one too many comes is refused, and the session goes on', async () => {
    const { receiver, lead, join, start } = await greeted();
    await start();
    for (let count = 1; count < MEMBERS_MAX; count++) {
      await (await asked(receiver, join)).expect(FrameType.joined);
    }
    await checkRefused(await asked(receiver, join));
    lead.send(FrameType.query, encodeQuery({ id: 1, name: 'nothing', body: Buffer.alloc(0) }));
    expect(receiver.status().connected).toBe(true);
  });

  test('before READY is refused', async () => {
    const { receiver, join, start, lead } = await greeted();
    await checkRefused(await asked(receiver, join));
    await start();
    await checkAlive(lead);
  });

  test('after the end of the session is refused', async () => {
    const { receiver, lead, join, start } = await greeted();
    await start();
    lead.socket.end();
    await until('the end of the session', () => !receiver.status().connected);
    await checkRefused(await asked(receiver, join));
  });

  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['too much', Buffer.alloc(100)],
    ['a path that cannot be', encodeJoin({ session: 1n, token: Buffer.alloc(16), path: 200, spare: false })],
  ])('that says %s is closed, and the session goes on', async (_name, body) => {
    const { receiver, lead, start } = await greeted();
    await start();
    const wire = await asked(receiver, body);
    expect(await wire.next()).toBeUndefined();
    await checkAlive(lead);
  });

  test('that was refused does not carry the session after all', async () => {
    const { receiver, lead, join, start } = await greeted();
    await start();
    const wire = await asked(receiver, { ...join, token: Buffer.alloc(16) });
    wire.session = join.session;
    wire.send(FrameType.query, encodeQuery({ id: 1, name: 'nothing', body: Buffer.alloc(0) }));
    await checkRefused(wire);
    await checkAlive(lead);
  });
});
