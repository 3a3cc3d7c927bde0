import { existsSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { Workspace } from '../../bench/kit/workspace.js';
import { compileLink } from '../../bench/wan/compile.js';
import { type LaneReport, laneFrom } from '../../bench/wan/link.js';
import { TunLink, type TunLinkOptions } from '../../bench/wan/tun-link.js';
import { until } from '../support/until.js';

const missing = TunLink.missing();
if (missing !== undefined) console.log(`the emulated link is not tested: ${missing}`);

const HEADER_BYTES = 28;
const works: Workspace[] = [];

afterEach(async () => {
  for (const work of works.splice(0)) await work.close();
});

/** 8 Mbit/s, that is 1,000 bytes a millisecond, and 10 ms there and back, with a queue that takes a megabyte. */
async function start(conditions: { lossPercent?: number; queueBytes?: number } = {}, options: TunLinkOptions = {}) {
  const work = await Workspace.open('test-wan');
  works.push(work);
  const all = { rateMbit: 8, roundTripMs: 10, lossPercent: 0, queueBytes: 1e6, ...conditions };
  return { work, link: await TunLink.start(work, all, { seed: 1, ...options }) };
}

const SEND = `
  const socket = require('node:dgram').createSocket('udp4');
  const [host, count, bytes] = process.argv.slice(1);
  let left = Number(count);
  socket.bind(() => {
    const sent = () => { if (--left === 0) socket.close(); };
    for (let i = 0; i < Number(count); i++) socket.send(Buffer.alloc(Number(bytes)), 9, host, sent);
  });`;

interface Burst {
  count: number;
  /** Headers included. */
  packetBytes: number;
  path?: number;
}

/** Sends packets all at once, waits until none is under way, and returns what became of them. */
async function burst(link: TunLink, { count, packetBytes, path = 0 }: Burst): Promise<LaneReport> {
  const before = settled(laneFrom(await link.report(), 'near', path));
  const args = ['-e', SEND, link.address('far', path), `${count}`, `${packetBytes - HEADER_BYTES}`];
  await link.run('near', 'datagrams', process.execPath, args).succeeded();
  let lane: LaneReport | undefined;
  const passedBytes: number[] = [];
  await until('what was sent to pass or to be dropped', async () => {
    lane = laneFrom(await link.report(), 'near', path);
    for (const [index, bytes] of lane.passedBytes.entries()) {
      passedBytes[lane.firstInterval + index] = (passedBytes[lane.firstInterval + index] ?? 0) + bytes;
    }
    return settled(lane) === before + count;
  });
  return { ...(lane as LaneReport), passedBytes: passedBytes.filter((bytes) => bytes > 0) };
}

function settled({ passed, lost, queueFull, cut }: LaneReport): number {
  return passed.packets + lost.packets + queueFull.packets + cut.packets;
}

const linkTest = test.skipIf(missing !== undefined);

linkTest('a burst comes out at the rate, after having waited as long as the queue says', async () => {
  const { link } = await start();
  const lane = await burst(link, { count: 600, packetBytes: 1000 });
  expect(lane.passed).toEqual({ packets: 600, bytes: 600_000 });
  // The first and the last tenth of a second are not whole.
  for (const bytes of lane.passedBytes.slice(1, -1)) expect(Math.abs(bytes - 100_000)).toBeLessThan(10_000);
  const bytesPerInterval = 600_000 / lane.passedBytes.length;
  expect(bytesPerInterval).toBeGreaterThan(75_000);
  expect(lane.queueMsMax).toBeGreaterThan(300);
  expect(lane.queueMsMax).toBeLessThan(600);
});

linkTest('what the queue does not take is dropped, and counted', async () => {
  const { link } = await start({ queueBytes: 50_000 });
  const lane = await burst(link, { count: 600, packetBytes: 1000 });
  expect(lane.passed.packets).toBeGreaterThanOrEqual(50);
  expect(lane.queueFull.packets).toBeGreaterThan(0);
  expect(lane.queueMsMax).toBeLessThanOrEqual(50);
});

linkTest('as many are lost as are to be, the same ones for the same seed', async () => {
  const lost: number[] = [];
  for (const seed of [1, 1, 2]) {
    const { link } = await start({ lossPercent: 5 }, { seed });
    const lane = await burst(link, { count: 2000, packetBytes: 100 });
    expect(lane.passed.packets + lane.lost.packets).toBe(2000);
    lost.push(lane.lost.packets);
  }
  expect(lost[1]).toBe(lost[0]);
  // 100 are expected; three standard deviations are 29.
  for (const count of lost) expect(Math.abs(count - 100)).toBeLessThan(40);
});

linkTest('a round trip takes as long as it should, and jitter reorders nothing', async () => {
  const { link } = await start({}, { jitterMs: 2 });
  const code = `
    const { createServer } = require('node:net');
    const server = createServer((socket) => socket.pipe(socket).once('close', () => server.close()));
    server.listen(7, '${link.address('far')}', () => console.log('listening'));`;
  const server = link.run('far', 'echo', process.execPath, ['-e', code]);
  await server.line(/^listening$/);
  const client = link.run('near', 'client', process.execPath, [
    '-e',
    `const socket = require('node:net').connect({ host: '${link.address('far')}', port: 7, noDelay: true });
     const took = [];
     let begun;
     const ask = () => { begun = performance.now(); socket.write('x'); };
     socket.once('connect', ask);
     socket.on('data', () => {
       took.push(performance.now() - begun);
       if (took.length < 20) ask();
       else socket.end(() => console.log('shortest ' + Math.min(...took)));
     });`,
  ]);
  const [, shortest] = await client.line(/^shortest (.*)$/);
  await server.succeeded();
  expect(Number(shortest)).toBeGreaterThan(10 - 2 * 2);
  expect(Number(shortest)).toBeLessThan(12);
});

linkTest('a path that is cut takes nothing until it is restored, and the other goes on', async () => {
  const { link } = await start({}, { paths: 2 });
  const packets = { count: 20, packetBytes: 100 };
  await link.down(0);
  expect((await burst(link, { ...packets, path: 0 })).cut.packets).toBe(20);
  expect((await burst(link, { ...packets, path: 1 })).passed.packets).toBe(20);
  await link.up(0);
  expect(await burst(link, { ...packets, path: 0 })).toMatchObject({ passed: { packets: 20 }, cut: { packets: 20 } });
});

linkTest('conditions change while it runs, and what makes no sense is refused by name', async () => {
  const { link } = await start();
  await link.set('loss-percent', 100);
  expect((await burst(link, { count: 20, packetBytes: 100 })).lost.packets).toBe(20);
  await expect(link.set('loss-percent', 101)).rejects.toThrow('loss-percent is 101: expected a number from 0 to 100');
  await expect(link.down(1)).rejects.toThrow('PATH is 1');
  await link.set('loss-percent', 0);
  expect((await burst(link, { count: 20, packetBytes: 100 })).passed.packets).toBe(20);
});

linkTest('connections take the congestion control that is set for them', async () => {
  const { link } = await start();
  await link.setCongestionControl('reno');
  const route = link.run('near', 'ip route', 'ip', ['route', 'show', 'dev', 'wan0']);
  await route.succeeded();
  expect(route.output).toContain('congctl reno');
});

linkTest('it ends with its parent, however that ends, and so do its devices', async () => {
  const { work } = await start();
  const compiled = compileLink();
  const program = 'program' in compiled ? compiled.program : '';
  // It inherits the parent's output, which is therefore at its end only when both have ended.
  const code = `
    const args = ['--rate-mbit', '1', '--seed', '1'];
    require('node:child_process').spawn(${JSON.stringify(program)}, args, { stdio: ['pipe', 'inherit', 'inherit'] });
    setInterval(() => {}, 1000);`;
  const parent = work.run('parent', process.execPath, ['-e', code]);
  const [, near = ''] = await parent.line(/"near":"([^"]*)"/);
  expect(existsSync(near)).toBe(true);
  process.kill(parent.pid, 'SIGKILL');
  await parent.ended;
  expect(existsSync(near)).toBe(false);
});
