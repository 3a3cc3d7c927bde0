import assert from 'node:assert/strict';
import { FLAG_AGAIN, FLAG_MORE, FRAGMENT_BYTES_MIN, type Frame } from '../src/channel/frame.js';
import { IncomingLane, type Message } from '../src/channel/incoming.js';
import { costOf } from '../src/channel/lanes.js';
import { FrameType } from '../src/channel/messages.js';
import { ProtocolError } from '../src/errors.js';
import type { Random } from './random.js';
import type { FuzzTarget } from './target.js';

const FRAMES_MAX = 120;
const MESSAGE_BYTES_MAX = 40_000;

/** Any frames, in any order and any number of times: memory stays within the bound, and what comes out is in order. */
export const laneHostile: FuzzTarget = {
  name: 'lane-hostile',
  async run(random) {
    const end = new Receiving(random);
    for (let count = random.between(1, FRAMES_MAX); count > 0; count--) {
      end.accept(end.frame());
      end.check();
      if (random.chance(0.2)) await end.goOn();
    }
  },
};

class Receiving {
  private readonly windowBytes: number;
  private readonly lane: IncomingLane;
  private readonly goingOn: (() => void)[] = [];
  private readonly accepted = new Map<number, Frame>();
  private isOver = false;
  /** The first frame of the message that is due next. */
  private due = 0;

  constructor(private readonly random: Random) {
    this.windowBytes = random.between(1, 100_000);
    this.lane = new IncomingLane({
      messageBytesMax: MESSAGE_BYTES_MAX,
      windowBytes: this.windowBytes,
      onMessage: (message) => this.take(message),
      onError: (error) => {
        if (!(error instanceof ProtocolError)) throw error;
        this.isOver = true;
      },
      onProgress: () => {},
    });
  }

  frame(): Frame {
    const { random, lane } = this;
    const frameNumber = random.pick([
      lane.takenNext,
      lane.next,
      lane.next + random.below(5),
      random.below(FRAMES_MAX),
      random.u32(),
      Number.MAX_SAFE_INTEGER,
    ]);
    const bytes = random.pick([0, random.below(300), FRAGMENT_BYTES_MIN + random.below(20_000)]);
    return {
      type: random.chance(0.9) ? FrameType.batch : FrameType.reply,
      flags: (random.chance(0.4) ? FLAG_MORE : 0) | (random.chance(0.2) ? FLAG_AGAIN : 0),
      generation: random.chance(0.97) ? 0 : 1,
      session: 1n,
      frameNumber,
      bodyLength: bytes,
      bodyChecksum: 0n,
      body: Buffer.alloc(bytes, frameNumber),
    };
  }

  accept(frame: Frame): void {
    if (this.isOver) return;
    const { frameNumber } = frame;
    const known = this.accepted.has(frameNumber);
    if (!known) this.accepted.set(frameNumber, frame);
    try {
      const isNew = this.lane.accept(frame);
      assert.equal(isNew, !known, `frame ${frameNumber}`);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      assert.ok(!known, 'what has arrived may come again');
      this.accepted.delete(frameNumber);
    }
  }

  check(): void {
    const { lane } = this;
    assert.ok(lane.heldBytes <= this.windowBytes + MESSAGE_BYTES_MAX + costOf(0), `${lane.heldBytes} bytes held`);
    assert.ok(lane.takenNext <= lane.next);
    if (this.isOver) return;
    for (let number = 0; number < lane.next; number++) assert.ok(this.accepted.has(number));
    assert.ok(!this.accepted.has(lane.next));
  }

  async goOn(): Promise<void> {
    this.goingOn.shift()?.();
    for (let turn = 0; turn < 4; turn++) await Promise.resolve();
  }

  /** The next message is that of the next frames in order. */
  private take({ type, generation, body }: Message): Promise<void> | undefined {
    const parts: Frame[] = [];
    for (let more = true; more; ) {
      const frame = this.accepted.get(this.due++) as Frame;
      parts.push(frame);
      more = (frame.flags & FLAG_MORE) !== 0;
    }
    assert.ok(body.equals(Buffer.concat(parts.map((frame) => frame.body))));
    assert.ok(parts.every((frame) => frame.type === type && frame.generation === generation));
    if (this.random.chance(0.7)) return undefined;
    return new Promise((resolve) => this.goingOn.push(resolve));
  }
}
