import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, test } from 'vitest';
import { loadEngine, ownAddonPath } from '../../src/engine/load.js';
import type { SocketKernels } from '../../src/engine/socket-kernels.js';
import { TCP_INFO_FIELDS, type TcpInfo } from '../../src/engine/socket-layout.js';
import { InvalidArgumentError } from '../../src/errors.js';
import { closeAll, socketPair } from '../channel/sockets.js';
import { atEnd, newDirectory } from '../support/temp.js';
import { engines, nativeBuilt } from './engines.js';

afterEach(closeAll);

const onLinux = process.platform === 'linux';
const linux = nativeBuilt && onLinux;

/** A number that was a descriptor a moment ago and that nothing here will get. */
const CLOSED_FD = 1_000_000;
const FIELDS = TCP_INFO_FIELDS.length;

const fdOf = (socket: object): number => (socket as { _handle: { fd: number } })._handle.fd;

async function newFd(): Promise<number> {
  const [left] = await socketPair();
  return fdOf(left);
}

function infoOf({ readTcpInfo }: SocketKernels, fd: number): Required<TcpInfo> {
  const fields = new Float64Array(FIELDS);
  expect(readTcpInfo(fd, fields)).toBe(true);
  return Object.fromEntries(TCP_INFO_FIELDS.map((name, index) => [name, fields[index]])) as Required<TcpInfo>;
}

const sysctl = (name: string): string => readFileSync(`/proc/sys/net/ipv4/${name}`, 'latin1').trim();

/** The call with the rights of a user who is nobody, where this one is root. */
function unprivileged<Result>(call: () => Result): Result {
  const { geteuid, seteuid } = process;
  if (seteuid === undefined || geteuid?.() !== 0) return call();
  seteuid(65_534);
  try {
    return call();
  } finally {
    seteuid(0);
  }
}

async function unixSocket(): Promise<Socket> {
  const path = join(newDirectory(), 'socket');
  const server: Server = createServer().listen(path);
  await once(server, 'listening');
  const socket = connect(path);
  atEnd(() => {
    socket.destroy();
    server.close();
  });
  await once(socket, 'connect');
  return socket;
}

describe.skipIf(!linux)('options of sockets, native', () => {
  const kernels = engines.find(([name]) => name === 'native')?.[1] as SocketKernels;

  test('the first congestion control that there is', async () => {
    const fd = await newFd();
    expect(kernels.setCongestionControl(fd, ['reno'])).toBe('reno');
    expect(kernels.setCongestionControl(fd, [])).toBe('reno');
    const [other = 'reno'] = sysctl('tcp_allowed_congestion_control').split(' ');
    expect(kernels.setCongestionControl(fd, ['no-such-one', other, 'reno'])).toBe(other);
    expect(kernels.setCongestionControl(fd, ['no-such-one', 'nor_this'])).toBe(other);
  });

  test('one that is there but not allowed is passed over', async () => {
    const fd = await newFd();
    const allowed = sysctl('tcp_allowed_congestion_control').split(' ');
    for (const name of ['bbr', 'cubic', 'reno']) {
      const expected = allowed.includes(name) ? name : 'reno';
      expect(unprivileged(() => kernels.setCongestionControl(fd, [name, 'reno']))).toBe(expected);
    }
  });

  test('what a new socket would get is known without one', () => {
    expect(kernels.probeCongestionControl([])).toBe(sysctl('tcp_congestion_control'));
    expect(kernels.probeCongestionControl(['no-such-one', 'reno'])).toBe('reno');
    expect(kernels.probeCongestionControl([])).toBe(sysctl('tcp_congestion_control'));
  });

  test('what was measured', async () => {
    const [left, right] = await socketPair();
    const sentBytes = 100_000;
    right.resume();
    left.write(Buffer.alloc(sentBytes));
    left.end();
    await once(right, 'end');
    const info = infoOf(kernels, fdOf(left));
    for (const [name, value] of Object.entries(info)) expect(value, name).toBeGreaterThanOrEqual(0);
    // The end counts as one byte more.
    expect(info).toMatchObject({ lostSegments: 0, notSentBytes: 0 });
    expect(info.sentBytes - info.retransmittedBytes).toBeGreaterThanOrEqual(sentBytes);
    expect(info.sentBytes - info.retransmittedBytes).toBeLessThanOrEqual(sentBytes + 1);
    expect(info.ackedBytes).toBeLessThanOrEqual(sentBytes + 2);
    expect(info.segmentBytes).toBeGreaterThan(500);
    expect(info.congestionWindowSegments).toBeGreaterThan(0);
    expect(info.minRttUs).toBeLessThanOrEqual(1_000_000);
    expect(info.deliveryRateBytesPerSecond).toBeGreaterThan(0);
    expect([0, 1]).toContain(info.deliveryRateAppLimited);
  });

  test('a time that was not measured is no number', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    // Nobody listens there any more, so there is a socket, and never a round trip.
    const socket = connect({ port, host: '127.0.0.1' });
    const failed = once(socket, 'error');
    failed.catch(() => {});
    await new Promise((resolve) => process.nextTick(resolve));
    const info = infoOf(kernels, fdOf(socket));
    expect(info.minRttUs).toBeNaN();
    expect(info.pacingRateBytesPerSecond).toBe(Number.POSITIVE_INFINITY);
    await failed;
  });

  test('a ceiling of the rate holds, and goes', async () => {
    const [left, right] = await socketPair();
    const fd = fdOf(left);
    right.resume();
    const rateAfterWrite = async (): Promise<number> => {
      await new Promise((resolve) => left.write(Buffer.alloc(1000), resolve));
      return infoOf(kernels, fd).pacingRateBytesPerSecond;
    };
    await rateAfterWrite();
    for (const rate of [20_000, 100_000]) {
      expect(kernels.setPacingRate(fd, rate)).toBe(true);
      expect(await rateAfterWrite()).toBeLessThanOrEqual(rate);
    }
    // More than 32 bits hold, which a system that took only those would make a small rate of.
    expect(kernels.setPacingRate(fd, 2 ** 33 + 1000)).toBe(true);
    while ((await rateAfterWrite()) <= 100_000);
    expect(kernels.setPacingRate(fd, 0)).toBe(true);
  });

  test('a timeout is set, and left to the system again', async () => {
    const fd = await newFd();
    expect(kernels.setUserTimeout(fd, 30_000)).toBe(true);
    expect(kernels.setUserTimeout(fd, 0)).toBe(true);
  });

  test.each<[string, () => number | Promise<number>, string]>([
    ['a descriptor that is not open', () => CLOSED_FD, 'EBADF'],
    ['a file', fileFd, 'ENOTSOCK'],
    ['a Unix socket', async () => fdOf(await unixSocket()), 'ENOPROTOOPT'],
    ['a socket of UDP', udpFd, 'ENOPROTOOPT'],
  ])("%s is Node's own error", async (_, open, code) => {
    const fd = await open();
    for (const call of callsOn(kernels, fd)) {
      expect(call).toThrow(expect.objectContaining({ code, syscall: 'getsockopt', errno: expect.any(Number) }));
      expect(call).toThrow(/^E[A-Z]+: [a-z -]+, getsockopt$/);
    }
  });

  test('several threads at a time', async () => {
    const fd = await newFd();
    const source = `
      const { parentPort, workerData: { addon, fd, fields } } = require('node:worker_threads');
      const { setCongestionControl, setNotSentLowat, readTcpInfo } = require(addon);
      const info = new Float64Array(fields);
      const answers = new Set();
      for (let round = 0; round < 500; round++) {
        const name = setCongestionControl(fd, [round % 2 === 0 ? 'reno' : 'bbr', 'cubic']);
        answers.add([['reno', 'bbr', 'cubic'].includes(name), setNotSentLowat(fd, 4096 + round), readTcpInfo(fd, info)].join());
        try { readTcpInfo(${CLOSED_FD}, info); } catch ({ errno }) { answers.add(errno); }
      }
      parentPort.postMessage([...answers]);`;
    const workerData = { addon: ownAddonPath(), fd, fields: FIELDS };
    const workers = Array.from({ length: 4 }, () => new Worker(source, { eval: true, workerData }));
    const answers = await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]));
    expect(answers).toEqual(Array(4).fill(['true,true,true', -9]));
    await Promise.all(workers.map((worker) => worker.terminate()));
  });

  test('the addon itself refuses what it cannot take', () => {
    const { kernels: addon } = loadEngine('native');
    for (const [index, [name, args]] of refusals.entries()) {
      const call = (): unknown => (addon[name] as (...given: unknown[]) => unknown)(...args);
      expect(call, `${name}, refusal ${index}`).toThrow();
    }
  });
});

describe.each(engines)('options of sockets, %s', (name, kernels) => {
  test('what the engine cannot do has no effect', async () => {
    const fd = await newFd();
    const able = name === 'native' && onLinux;
    expect(kernels.setCongestionControl(fd, ['reno'])).toBe(able ? 'reno' : undefined);
    expect(kernels.probeCongestionControl(['reno'])).toBe(able ? 'reno' : undefined);
    expect(kernels.setPacingRate(fd, 1_000_000)).toBe(able);
    expect(kernels.setNotSentLowat(fd, 65_536)).toBe(able || (name === 'native' && process.platform === 'darwin'));
    expect(kernels.setUserTimeout(fd, 30_000)).toBe(able);
    expect(kernels.readTcpInfo(fd, new Float64Array(FIELDS))).toBe(able);
  });

  test('arguments are checked', () => {
    for (const [index, [call, args]] of refusals.entries()) {
      const attempt = (): unknown => (kernels[call] as (...given: unknown[]) => unknown)(...args);
      expect(attempt, `${call}, refusal ${index}`).toThrow(InvalidArgumentError);
    }
  });
});

function callsOn(kernels: SocketKernels, fd: number): (() => unknown)[] {
  return [
    () => kernels.setCongestionControl(fd, ['reno']),
    () => kernels.setPacingRate(fd, 1_000_000),
    () => kernels.setNotSentLowat(fd, 65_536),
    () => kernels.setUserTimeout(fd, 1000),
    () => kernels.readTcpInfo(fd, new Float64Array(FIELDS)),
  ];
}

function fileFd(): number {
  const fd = openSync(join(newDirectory(), 'file'), 'w');
  atEnd(() => closeSync(fd));
  return fd;
}

async function udpFd(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  atEnd(() => socket.close());
  await once(socket, 'listening');
  const [symbol] = Object.getOwnPropertySymbols(socket).filter(({ description }) => description === 'state symbol');
  return fdOf({ _handle: (socket as unknown as Record<symbol, { handle: object }>)[symbol as symbol]?.handle });
}

const NUMBERS = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '1', null, undefined, 1n, {}];
const NO_NAMES = [
  undefined,
  null,
  'reno',
  { length: 1 },
  ['reno', undefined],
  [7],
  [''],
  ['a name that is too long'],
  Array(17).fill('reno'),
];
const NO_FIELDS = [
  undefined,
  null,
  [],
  new Float64Array(FIELDS - 1),
  new Float64Array(FIELDS + 1),
  new Float32Array(FIELDS),
];
const refusals: [keyof SocketKernels, unknown[]][] = [
  ...[...NUMBERS, 2 ** 31].flatMap<[keyof SocketKernels, unknown[]]>((fd) => [
    ['setCongestionControl', [fd, ['reno']]],
    ['setPacingRate', [fd, 0]],
    ['setNotSentLowat', [fd, 0]],
    ['setUserTimeout', [fd, 0]],
    ['readTcpInfo', [fd, new Float64Array(FIELDS)]],
  ]),
  ...NO_NAMES.flatMap<[keyof SocketKernels, unknown[]]>((names) => [
    ['setCongestionControl', [CLOSED_FD, names]],
    ['probeCongestionControl', [names]],
  ]),
  ...NUMBERS.flatMap<[keyof SocketKernels, unknown[]]>((value) => [
    ['setPacingRate', [CLOSED_FD, value]],
    ['setNotSentLowat', [CLOSED_FD, value]],
    ['setUserTimeout', [CLOSED_FD, value]],
  ]),
  ...NO_FIELDS.map<[keyof SocketKernels, unknown[]]>((fields) => ['readTcpInfo', [CLOSED_FD, fields]]),
];
