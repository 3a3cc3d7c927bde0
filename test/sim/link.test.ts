import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { EmulatedLink, type LinkOptions } from './link.js';

const SEED = Number(process.env.LONGHAUL_SEED ?? 20_260_114);
const opened: { close(): unknown }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

/** A server that handles each connection with `serve`, a link before it, and `dial` to connect through the link. */
async function linkTo(serve: (socket: Socket) => void, o: Omit<LinkOptions, 'target'>) {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  opened.push(server);
  const link = await EmulatedLink.open({ ...o, target: { port: (server.address() as AddressInfo).port } });
  opened.push(link);
  const dial = async () => {
    const socket = connect({ host: link.host, port: link.port, allowHalfOpen: true, noDelay: true });
    opened.push({ close: () => socket.destroy() });
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };
  const accepted = async () => ((await once(server, 'connection')) as [Socket])[0];
  return { server, link, dial, accepted };
}

const echo = (socket: Socket) => socket.pipe(socket);

function randomBytes(length: number, seed: number): Buffer {
  let state = seed >>> 0;
  const bytes = Buffer.allocUnsafe(length);
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Resolves with whether an error closed the socket. (`once` would reject because of the 'error' before it.) */
const closed = (socket: Socket) => new Promise<boolean>((done) => socket.once('close', done));

async function readAll(socket: Socket): Promise<Buffer> {
  return Buffer.concat(await socket.toArray());
}

test('bytes arrive intact and counted, both ways, and a half-close is carried over', async () => {
  const { link, dial } = await linkTo(echo, { rateBytesPerSecond: 20e6, delayMs: 2 });
  const sent = [randomBytes(700_001, SEED), randomBytes(300_003, SEED + 1)];
  const back = await Promise.all(
    sent.map(async (bytes) => {
      const socket = await dial();
      socket.end(bytes);
      return readAll(socket);
    }),
  );
  for (const [index, bytes] of sent.entries()) {
    expect(back[index]?.equals(bytes), `connection ${index}, LONGHAUL_SEED=${SEED}`).toBe(true);
  }
  expect([link.forwardBytes, link.backwardBytes]).toEqual([1_000_004, 1_000_004]);
});

test('connections share the rate of a direction, which is met within 2 %', async () => {
  const rateBytesPerSecond = 4e6;
  const { link, dial } = await linkTo((socket) => socket.end(Buffer.alloc(1_000_000)), { rateBytesPerSecond });
  const sockets = await Promise.all([dial(), dial()]);
  const start = performance.now();
  await Promise.all(sockets.map(readAll));
  const seconds = (performance.now() - start) / 1000;
  expect(link.backwardBytes).toBe(2_000_000);
  expect(seconds).toBeGreaterThan(0.98 * 0.5);
  // Slower than the rate only by as much as a loaded machine keeps this process waiting.
  expect(seconds).toBeLessThan(1.02 * 0.5 + 0.25);
});

test('a round trip takes twice the one-way delay', async () => {
  const { dial } = await linkTo(echo, { rateBytesPerSecond: 1e8, delayMs: 20 });
  const socket = await dial();
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    socket.write('x');
    await once(socket, 'data');
    times.push(performance.now() - start);
  }
  expect(Math.min(...times)).toBeGreaterThanOrEqual(39);
  expect(Math.min(...times)).toBeLessThan(50);
});

test('a source that the link cannot carry away is paused', async () => {
  const o = { rateBytesPerSecond: 2e6, queueBytesMax: 100_000 };
  const { dial, accepted } = await linkTo(() => {}, o);
  const target = accepted();
  const socket = await dial();
  // More than the kernel's socket buffers take: what neither they nor the link hold stays with the sender.
  socket.write(Buffer.alloc(64 * 1024 * 1024));
  let received = 0;
  for await (const data of await target) {
    received += (data as Buffer).length;
    if (received > 100_000) break;
  }
  expect(socket.writableLength).toBeGreaterThan(0);
});

test('a cut resets both ends; the next connection works', async () => {
  const { link, dial, accepted } = await linkTo((socket) => socket.resume(), { rateBytesPerSecond: 1e6, delayMs: 5 });
  const target = accepted();
  const socket = await dial();
  socket.resume().write(Buffer.alloc(200_000));
  const ends = [closed(socket), closed(await target)];
  link.cut();
  expect(await Promise.all(ends)).toEqual([true, true]);
  const carried = link.forwardBytes;
  expect(carried).toBeLessThan(200_000);

  const nextTarget = accepted();
  (await dial()).end('hello');
  await once(await nextTarget, 'end');
  expect(link.forwardBytes - carried).toBe(5);
});

test('a pause holds everything back, a resume lets it through', async () => {
  const { link, dial } = await linkTo(echo, { rateBytesPerSecond: 1e6, delayMs: 5 });
  const control = await linkTo(echo, { rateBytesPerSecond: 1e6, delayMs: 15 });
  const socket = await dial();
  link.pause();
  socket.write('one');
  const late = await dial();
  late.write('two');
  // By the time that the slower line has answered, the paused one would have.
  const witness = await control.dial();
  witness.write('three');
  await once(witness, 'data');
  expect([link.forwardBytes, link.backwardBytes]).toEqual([0, 0]);
  link.resume();
  const answers = await Promise.all([once(socket, 'data'), once(late, 'data')]);
  expect(answers.map(([data]) => String(data))).toEqual(['one', 'two']);
});

test('a target that does not listen shows as a reset', async () => {
  const { server, dial } = await linkTo(echo, { rateBytesPerSecond: 1e6 });
  server.close();
  await once(server, 'close');
  expect(await closed(await dial())).toBe(true);
});
