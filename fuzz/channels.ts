import assert from 'node:assert/strict';
import { Channel } from '../src/channel/channel.js';
import { Connection } from '../src/channel/connection.js';
import {
  encodeFrameHeader,
  FLAG_AGAIN,
  FLAG_MORE,
  FRAME_PING,
  FRAME_PONG,
  type Frame,
  type FrameHeader,
} from '../src/channel/frame.js';
import { costOf, laneOf } from '../src/channel/lanes.js';
import { FrameType } from '../src/channel/messages.js';
import { FrameParser } from '../src/channel/parser.js';
import { encodeWindow } from '../src/channel/window.js';
import { checksum64 } from '../src/engine/checksum.js';
import { ConnectionLostError, LonghaulError } from '../src/errors.js';
import { FakeClock } from '../test/channel/fake-clock.js';
import { MemorySocket } from './memory-socket.js';
import type { Random } from './random.js';
import type { FuzzTarget } from './target.js';
import { randomWindow } from './windows.js';

const STEPS_MAX = 60;
const LINES_MAX = 5;
const SESSION = 7n;
const WINDOW_BYTES_MAX = 1024 * 1024;
const CREDIT_BYTES = 300_000;
const TYPES = [...Object.values(FrameType), FRAME_PING, FRAME_PONG, 0, 99, 255];

/**
 * A peer that was let in, and now says whatever it likes over several connections: right frames with wrong fields, in any
 * order, beside right ones. Nothing escapes, our end keeps to its bounds and to the credit that it was given, and the session
 * goes on or ends with a code, without a timer left.
 */
export const channelHostile: FuzzTarget = {
  name: 'channel-hostile',
  async run(random) {
    const scene = new Scene(random);
    for (let count = random.between(1, STEPS_MAX); count > 0; count--) {
      await scene.step();
      scene.check();
    }
    await scene.finish();
  },
};

/** One connection, and what the peer has said and heard on it. */
class Line {
  readonly socket: MemorySocket;
  readonly #parser = new FrameParser();
  #ownNumber = 0;

  constructor(onFrame: (frame: Frame) => void) {
    this.socket = new MemorySocket((chunk) => {
      this.#parser.push(chunk);
      for (let frame = this.#parser.next(); frame !== undefined; frame = this.#parser.next()) onFrame(frame);
    });
  }

  say(header: Partial<FrameHeader> & { type: number }, body: Buffer): void {
    const { session = 0n } = header;
    const frameNumber = session === 0n ? this.#ownNumber++ : 0;
    const whole = { flags: 0, generation: 0, session, frameNumber, bodyLength: body.byteLength };
    this.socket.hear(Buffer.concat([encodeFrameHeader({ ...whole, bodyChecksum: checksum64(body), ...header }), body]));
  }
}

class Scene {
  private readonly clock = new FakeClock();
  private readonly lines: Line[] = [];
  private readonly channel: Channel;
  private readonly goingOn: (() => void)[] = [];
  /** What our end has sent of each lane, by number. */
  private readonly sent = { data: new Map<number, Frame>(), control: new Map<number, Frame>() };
  /** Frames that came without saying that they may have arrived. */
  private readonly firsts = new Set<string>();
  /** The highest credit that the peer has named. */
  private grantedBytes = CREDIT_BYTES;
  /** What the peer would send next of each lane, if it were honest. */
  private readonly next = { data: 0, control: 0 };

  constructor(private readonly random: Random) {
    const lead = this.line();
    const onMessage = (): void | Promise<void> => {
      if (random.chance(0.5)) return;
      return new Promise((resolve) => this.goingOn.push(resolve));
    };
    this.channel = new Channel({ lead, windowBytesMax: WINDOW_BYTES_MAX, onMessage, clock: this.clock });
    this.channel.established();
    this.channel.begin(SESSION, CREDIT_BYTES);
  }

  async step(): Promise<void> {
    const { random } = this;
    const line = random.pick(this.lines);
    random.pick([
      () => this.honest(line),
      () => this.honest(line),
      () => this.hostile(line),
      () => this.window(line),
      () => this.own(line),
      () => this.join(),
      () => this.sendOurs(),
      () => this.sendOurs(),
      () => this.disturb(line),
      () => this.goingOn.shift()?.(),
    ])();
    await turn();
    if (random.chance(0.3)) await this.clock.advance(random.pick([5, 100, 1000, 6000]));
  }

  check(): void {
    const { unconfirmedBytes } = this.channel.backlog;
    assert.ok(unconfirmedBytes <= WINDOW_BYTES_MAX, `${unconfirmedBytes} bytes kept`);
    let cost = 0;
    for (const { bodyLength } of this.sent.data.values()) cost += costOf(bodyLength);
    assert.ok(cost <= this.grantedBytes, `${cost} sent of a credit of ${this.grantedBytes}`);
  }

  /** What still runs ends, and leaves nothing behind. */
  async finish(): Promise<void> {
    const isOver = this.channel.members.size === 0;
    if (!isOver && this.random.chance(0.5)) void this.channel.end();
    await turn();
    this.channel.destroy(new ConnectionLostError('a peer', 'the run is over'));
    for (const goOn of this.goingOn) goOn();
    const reason = await this.channel.closed;
    await turn();
    assert.ok(reason === undefined || reason instanceof LonghaulError);
    assert.equal(this.channel.members.size, 0);
    assert.equal(this.clock.pendingTimers, 0);
  }

  private line(): Connection {
    const line = new Line((frame) => this.heard(frame));
    this.lines.push(line);
    const connection = new Connection({ socket: line.socket.socket, clock: this.clock, onFrame: () => {} });
    connection.established();
    return connection;
  }

  /** What our end sends is right, whatever it is told. */
  private heard(frame: Frame): void {
    const lane = laneOf(frame.type);
    if (lane === undefined) return;
    assert.equal(frame.session, SESSION);
    const before = this.sent[lane].get(frame.frameNumber);
    if (before !== undefined) assert.ok(before.body.equals(frame.body));
    this.sent[lane].set(frame.frameNumber, frame);
    if ((frame.flags & FLAG_AGAIN) !== 0) return;
    const name = `${lane} ${frame.frameNumber}`;
    assert.ok(!this.firsts.has(name), `${name} twice, and both say that it is new`);
    this.firsts.add(name);
  }

  private honest(line: Line): void {
    const { random } = this;
    const type = random.pick([FrameType.batch, FrameType.batch, FrameType.ack, FrameType.query]);
    const lane = laneOf(type) ?? 'data';
    const flags = lane === 'data' && random.chance(0.2) ? FLAG_MORE : 0;
    const bytes = random.pick([0, random.below(500), 5000 + random.below(50_000)]) + (flags === 0 ? 0 : 4096);
    line.say({ type, flags, session: SESSION, frameNumber: this.next[lane]++ }, Buffer.alloc(bytes));
  }

  private hostile(line: Line): void {
    const { random } = this;
    const near = this.next.data + random.below(10) - 5;
    line.say(
      {
        type: random.pick(TYPES),
        flags: random.below(random.chance(0.9) ? 4 : 256),
        generation: random.below(3),
        session: random.pick([SESSION, SESSION, SESSION, 0n, random.u64()]),
        frameNumber: random.pick([Math.max(0, near), random.below(5000), random.u32(), Number.MAX_SAFE_INTEGER]),
      },
      random.bytes(random.pick([0, random.below(100), random.below(70_000)])),
    );
  }

  private window(line: Line): void {
    const { random, sent } = this;
    const likely = random.chance(0.7);
    const window = likely
      ? {
          dataNext: random.below(sent.data.size + 1),
          controlNext: random.below(sent.control.size + 1),
          creditBytes: CREDIT_BYTES + random.below(2_000_000),
          arrived: [],
        }
      : randomWindow(random);
    this.grantedBytes = Math.max(this.grantedBytes, window.creditBytes);
    line.say({ type: FrameType.window }, encodeWindow(window));
  }

  private own(line: Line): void {
    const { random } = this;
    const type = random.pick(TYPES.filter((known) => laneOf(known) === undefined));
    line.say({ type }, random.bytes(random.pick([0, 8, random.below(64)])));
  }

  private join(): void {
    if (this.lines.length >= LINES_MAX || !this.channel.hasPlace) return;
    this.channel.add(this.line(), { path: this.random.below(3), spare: this.random.chance(0.3) });
  }

  private sendOurs(): void {
    const { random, channel } = this;
    const body = random.bytes(random.pick([0, random.below(1000)]));
    if (random.chance(0.3)) channel.sendControl(FrameType.ack, body, { replace: random.chance(0.5) });
    else void channel.send(FrameType.batch, [body, Buffer.alloc(random.below(150_000))]);
  }

  private disturb(line: Line): void {
    const { random } = this;
    const [member] = [...this.channel.members].slice(-1);
    random.pick([
      () => line.socket.hearEnd(),
      () => line.socket.destroy(),
      () => line.socket.destroy(new Error('the line is gone')),
      () => line.socket.hear(random.bytes(random.below(100))),
      () => {
        line.socket.isBlocked = random.chance(0.6);
      },
      () => member !== undefined && this.channel.retire(member),
      () => random.chance(0.2) && void this.channel.end(),
    ])();
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
