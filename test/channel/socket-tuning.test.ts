import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { congestionControlOption } from '../../src/channel/congestion-control.js';
import { pace, type TcpInfo, tcpInfo, tune } from '../../src/channel/socket-tuning.js';
import { CongestionControlError, InvalidArgumentError, SocketOptionError } from '../../src/errors.js';
import { KIB, MIB } from '../../src/options.js';
import { engines } from '../engine/engines.js';
import { atEnd, newDirectory } from '../support/temp.js';
import { closeAll, socketPair, turns } from './sockets.js';

afterEach(closeAll);

/** The longest piece of a connection that the kernel fills in one go. */
const PIECE_BYTES_MAX = 64 * KIB;

describe.each(engines)('tuning sockets, %s', (name, kernels) => {
  const able = name === 'native' && process.platform === 'linux';

  /** Writes until neither side takes any more, and says what the system holds. */
  async function fill(socket: Socket): Promise<TcpInfo> {
    for (let still = 0, before = -1; still < 50; ) {
      socket.write(Buffer.alloc(256 * KIB));
      await turns(1);
      const { notSentBytes = 0, sentBytes = 0 } = tcpInfo(socket, kernels) ?? {};
      still = before === notSentBytes + sentBytes ? still + 1 : 0;
      before = notSentBytes + sentBytes;
    }
    return tcpInfo(socket, kernels) as TcpInfo;
  }

  test('what is in force is told', async () => {
    const [left] = await socketPair();
    const set = { notSentLowatBytes: 64 * KIB, userTimeoutMs: 30_000 };
    const options = { congestionControl: able ? 'reno' : 'auto', pacingBytesPerSecond: 1e6, ...set };
    expect(tune(left, options, kernels)).toEqual(
      able ? { congestionControl: 'reno', pacing: true, ...set } : { pacing: false },
    );
  });

  test.runIf(able)('auto takes bbr where it is allowed, and system leaves what is there', async () => {
    const [left, right] = await socketPair();
    const best = kernels.probeCongestionControl(['bbr', 'cubic']);
    expect(tune(left, {}, kernels)).toEqual({ congestionControl: best, pacing: false });
    const before = tune(right, { congestionControl: 'reno' }, kernels);
    expect(tune(right, { congestionControl: 'system' }, kernels)).toEqual(before);
  });

  test('a congestion control by name is that one or an error', async () => {
    const [left] = await socketPair();
    const tuned = (): unknown => tune(left, { congestionControl: 'no-such-one' }, kernels);
    const given = (): unknown => congestionControlOption('congestionControl', 'no-such-one', kernels);
    const inForce = able ? kernels.probeCongestionControl([]) : undefined;
    for (const call of [tuned, given]) {
      expect(call).toThrow(CongestionControlError);
      expect(call).toThrow(
        expect.objectContaining({ code: 'CONGESTION_CONTROL_REFUSED', wanted: 'no-such-one', inForce }),
      );
    }
    expect(tuned).toThrow(able ? /tcp_allowed_congestion_control/ : /native engine/);
  });

  test('the option is checked where it is given', () => {
    const option = (value?: unknown) => congestionControlOption('congestionControl', value, kernels);
    expect(option()).toBe('auto');
    expect(option('auto')).toBe('auto');
    expect(option('system')).toBe('system');
    if (able) expect(option('reno')).toBe('reno');
    for (const value of [null, 7, '', 'two words', 'a-name-that-is-too-long', 'ümlaut', {}]) {
      expect(() => option(value)).toThrow(InvalidArgumentError);
    }
  });

  test.runIf(able)('the system holds no more unsent than the bound and one piece', async () => {
    for (const notSentLowatBytes of [16 * KIB, 128 * KIB]) {
      const [left] = await socketPair();
      tune(left, { notSentLowatBytes }, kernels);
      const { notSentBytes = 0 } = await fill(left);
      expect(notSentBytes).toBeGreaterThan(0);
      expect(notSentBytes).toBeLessThanOrEqual(notSentLowatBytes + PIECE_BYTES_MAX);
    }
    const [unbounded] = await socketPair();
    tune(unbounded, {}, kernels);
    expect((await fill(unbounded)).notSentBytes).toBeGreaterThan(128 * KIB + PIECE_BYTES_MAX);
  });

  test.runIf(able)('what it does not hold arrives all the same', async () => {
    const [left, right] = await socketPair();
    tune(left, { notSentLowatBytes: 16 * KIB }, kernels);
    const bytes = Buffer.alloc(4 * MIB, 'payload');
    left.end(bytes);
    expect(Buffer.concat(await right.toArray()).equals(bytes)).toBe(true);
  });

  test('the rate can be changed while it is open', async () => {
    const [left] = await socketPair();
    for (const rate of [1000, 1e9 / 3, Number.POSITIVE_INFINITY]) expect(pace(left, rate, kernels)).toBe(able);
    for (const rate of [999, 0, -1, Number.NaN]) expect(() => pace(left, rate, kernels)).toThrow(InvalidArgumentError);
  });

  test('a TLSSocket has the options of the socket beneath it', async () => {
    const [left] = await socketPair();
    const secure = new TLSSocket(left);
    secure.on('error', () => {});
    expect(tune(secure, { congestionControl: 'system', notSentLowatBytes: 8 * KIB }, kernels)).toEqual(
      able
        ? { ...tune(left, { congestionControl: 'system' }, kernels), notSentLowatBytes: 8 * KIB }
        : { pacing: false },
    );
    expect(tcpInfo(secure, kernels)?.segmentBytes).toBe(tcpInfo(left, kernels)?.segmentBytes);
    left.destroy();
    expect(tcpInfo(secure, kernels)).toBeUndefined();
    secure.destroy();
  });

  test('a socket that is closed, or not open yet, has nothing in force', async () => {
    const [left] = await socketPair();
    left.destroy();
    expect(tune(left, { notSentLowatBytes: 64 * KIB }, kernels)).toEqual({ pacing: false });
    expect(pace(left, 1e6, kernels)).toBe(false);
    expect(tcpInfo(left, kernels)).toBeUndefined();
    await once(left, 'close');
    expect(tune(left, {}, kernels)).toEqual({ pacing: false });
  });

  test('one that the peer has cut is no error', async () => {
    const [left, right] = await socketPair();
    right.resetAndDestroy();
    const sound = ({ pacing }: { pacing: boolean }) => expect(pacing).toBe(false);
    // At each stage: the reset on its way, known to the system, known to Node.
    for (let turn = 0; turn < 20; turn++) {
      sound(tune(left, { notSentLowatBytes: 64 * KIB }, kernels));
      tcpInfo(left, kernels);
      await turns(1);
    }
    sound(tune(left, {}, kernels));
  });

  test.runIf(able)('a socket that is none of TCP is an error', async () => {
    const path = join(newDirectory(), 'socket');
    const server = createServer().listen(path);
    await once(server, 'listening');
    const socket = connect(path);
    atEnd(() => server.close());
    atEnd(() => socket.destroy());
    await once(socket, 'connect');
    for (const call of [() => tune(socket, {}, kernels), () => tcpInfo(socket, kernels)]) {
      expect(call).toThrow(SocketOptionError);
      expect(call).toThrow(expect.objectContaining({ cause: expect.objectContaining({ code: 'ENOPROTOOPT' }) }));
    }
  });

  test.each([
    ['notSentLowatBytes', [0, 4095, 64 * MIB + 1, 5000.5, Number.NaN]],
    ['userTimeoutMs', [0, 999, 3_600_001]],
    ['pacingBytesPerSecond', [0, 999, Number.NaN]],
  ] as const)('%s has bounds', async (option, values) => {
    const [left] = await socketPair();
    for (const value of values) {
      const call = (): unknown => tune(left, { [option]: value }, kernels);
      expect(call).toThrow(InvalidArgumentError);
      expect(call).toThrow(option);
    }
  });
});

test.runIf(process.platform === 'linux')('without a choice the engine that is loaded does it', async () => {
  const [left] = await socketPair();
  expect(tune(left).congestionControl === undefined).toBe(tcpInfo(left) === undefined);
});
