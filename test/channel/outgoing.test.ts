import { describe, expect, test } from 'vitest';
import { FLAG_AGAIN, FLAG_MORE, FRAGMENT_BYTES_MAX } from '../../src/channel/frame.js';
import { costOf } from '../../src/channel/lanes.js';
import { FrameType } from '../../src/channel/messages.js';
import type { OutgoingFrame } from '../../src/channel/outgoing.js';
import { ProtocolError } from '../../src/errors.js';
import { outgoingLane, push, received, SESSION } from './lane-frames.js';

const KIB = 1024;
const take = (lane: ReturnType<typeof outgoingLane>, bytes = 16 * KIB, carrier = 'a'): OutgoingFrame =>
  lane.take(carrier, bytes) ?? expect.fail('no frame');

describe('messages', () => {
  test('are cut into numbered frames, and the last one says so', () => {
    const lane = outgoingLane();
    const body = Buffer.alloc(40 * KIB, 3);
    const outcome = push(lane, body.subarray(0, 10), Buffer.alloc(0), body.subarray(10));
    expect(lane.waitingBytes).toBe(40 * KIB);
    const frames: OutgoingFrame[] = [];
    for (let count = 0; count < 3; count++) {
      expect(outcome.sent).toBe(false);
      frames.push(take(lane));
    }
    expect(outcome).toEqual({ sent: true });
    expect(frames.map(({ frameNumber }) => frameNumber)).toEqual([0, 1, 2]);
    expect(frames.map(({ flags }) => flags)).toEqual([FLAG_MORE, FLAG_MORE, 0]);
    expect(frames.map(({ bodyLength }) => bodyLength)).toEqual([16 * KIB, 16 * KIB, 8 * KIB]);
    expect(frames.every(({ session, type }) => session === SESSION && type === FrameType.batch)).toBe(true);
    expect(Buffer.concat(frames.map((frame) => received(frame).body)).equals(body)).toBe(true);
    expect(lane.take('a', 1)).toBeUndefined();
    expect([lane.waitingBytes, lane.unconfirmedBytes, lane.unconfirmedFrames]).toEqual([0, 40 * KIB, 3]);
  });

  test('of nothing are a frame too', () => {
    const lane = outgoingLane();
    const outcome = push(lane, Buffer.alloc(0));
    expect(lane.isReady).toBe(true);
    expect(take(lane)).toMatchObject({ bodyLength: 0, flags: 0 });
    expect(outcome.sent).toBe(true);
  });

  test('are never cut into fragments over the limit', () => {
    const lane = outgoingLane();
    push(lane, Buffer.alloc(3 * FRAGMENT_BYTES_MAX));
    expect(take(lane, Number.POSITIVE_INFINITY).bodyLength).toBe(FRAGMENT_BYTES_MAX);
  });

  test('take the place of one of their type that has not begun', () => {
    const lane = outgoingLane();
    const { batch, ack } = FrameType;
    const message = (type: number, text: string) => ({ type, generation: 0, parts: [Buffer.from(text)] });
    expect(lane.replace(message(batch, 'nothing waits'))).toBe(false);
    lane.push({ ...message(ack, 'old'), settle: () => {} });
    lane.push({ ...message(batch, 'x'.repeat(20)), settle: () => {} });
    expect(lane.replace(message(ack, 'newer'))).toBe(true);
    expect(lane.waitingBytes).toBe(25);
    expect(received(take(lane)).body.toString()).toBe('newer');
    take(lane, 10);
    expect(lane.replace(message(batch, 'too late'))).toBe(false);
    take(lane, 10);
    expect(lane.isEmpty).toBe(true);
  });

  test('that wait hear why nothing goes out any more', () => {
    const lane = outgoingLane();
    const outcomes = [push(lane, Buffer.alloc(20)), push(lane, Buffer.alloc(20))];
    take(lane, 10);
    const reason = new Error('the test says so');
    lane.close(reason);
    expect(outcomes.map(({ error }) => error)).toEqual([reason, reason]);
    expect([lane.isEmpty, lane.isReady, lane.waitingBytes, lane.unconfirmedBytes]).toEqual([true, false, 0, 0]);
    expect(lane.take('a', 10)).toBeUndefined();
  });
});

describe('credit', () => {
  test('is never exceeded, and counts the frames as well as their bytes', () => {
    const lane = outgoingLane({ creditBytes: 3 * costOf(100) });
    for (let count = 0; count < 5; count++) push(lane, Buffer.alloc(100));
    for (let count = 0; count < 3; count++) take(lane);
    expect([lane.isReady, lane.isHeldBack]).toEqual([false, true]);
    expect(lane.take('a', 16 * KIB)).toBeUndefined();
    lane.grant(4 * costOf(100));
    lane.grant(0);
    take(lane);
    expect(lane.take('a', 16 * KIB)).toBeUndefined();
  });

  test('is not used for slivers', () => {
    const lane = outgoingLane({ creditBytes: costOf(16 * KIB) - 1 });
    push(lane, Buffer.alloc(100 * KIB));
    expect(lane.isHeldBack).toBe(true);
    lane.grant(costOf(16 * KIB));
    expect(take(lane, 64 * KIB).bodyLength).toBe(16 * KIB);
    expect(lane.isHeldBack).toBe(true);
  });

  test('does not hold back what goes again', () => {
    const lane = outgoingLane({ creditBytes: costOf(10) });
    push(lane, Buffer.alloc(10));
    take(lane);
    lane.release('a');
    expect(lane.isReady).toBe(true);
    expect(take(lane).flags).toBe(FLAG_AGAIN);
  });

  test('a window that is smaller than a sliver of a frame takes frames of its own size', () => {
    let window = 8 * KIB;
    const lane = outgoingLane({ unconfirmedBytesMax: () => window });
    push(lane, Buffer.alloc(64 * KIB));
    expect(lane.isReady).toBe(true);
    expect(costOf(take(lane).bodyLength)).toBeLessThanOrEqual(8 * KIB);
    expect(lane.take('a', 16 * KIB)).toBeUndefined();
    lane.confirm(1);
    expect(take(lane).bodyLength).toBeGreaterThan(4 * KIB);
    // What remains of a larger one is not used up by crumbs.
    window = 32 * KIB;
    take(lane);
    expect(lane.take('a', 16 * KIB)).toBeUndefined();
  });

  test('does not go over what may be out and not confirmed', () => {
    const lane = outgoingLane({ unconfirmedBytesMax: () => 2 * costOf(10) });
    for (let count = 0; count < 4; count++) push(lane, Buffer.alloc(10));
    take(lane);
    take(lane);
    expect(lane.isReady).toBe(false);
    lane.confirm(0, [{ from: 1, to: 1 }]);
    take(lane);
    expect([lane.isReady, lane.isHeldBack]).toEqual([false, false]);
  });
});

describe('confirmation', () => {
  test('lets go of what has arrived, and tells whose it was and how long it took', () => {
    let nowMs = 0;
    const arrived: [string | undefined, number, number][] = [];
    const lane = outgoingLane({
      now: () => nowMs,
      onArrived: (carrier, { frameNumber }, elapsedMs) => arrived.push([carrier, frameNumber, elapsedMs]),
    });
    for (const carrier of ['a', 'b', 'a', 'b', 'c']) {
      push(lane, Buffer.alloc(10));
      take(lane, 10, carrier);
      nowMs += 10;
    }
    lane.confirm(1, [
      { from: 2, to: 2 },
      { from: 4, to: 4 },
    ]);
    expect(arrived).toEqual([
      ['a', 0, 50],
      ['a', 2, 30],
      ['c', 4, 10],
    ]);
    lane.confirm(1);
    lane.confirm(5);
    lane.confirm(3, [{ from: 4, to: 4 }]);
    expect(arrived.map(([, number]) => number)).toEqual([0, 2, 4, 1, 3]);
    expect([lane.unconfirmedBytes, lane.unconfirmedFrames]).toEqual([0, 0]);
  });

  test.each([
    ['below a number', 3, []],
    ['in a range', 0, [{ from: 1, to: 2 }]],
    ['far away', Number.MAX_SAFE_INTEGER, []],
  ])('of what was never sent, %s, is a violation', (_name, next, ranges) => {
    const lane = outgoingLane();
    push(lane, Buffer.alloc(10));
    push(lane, Buffer.alloc(10));
    take(lane);
    take(lane);
    expect(() => lane.confirm(next, ranges)).toThrow(ProtocolError);
    expect(lane.unconfirmedFrames).toBe(2);
  });

  test('costs what is out, whatever is said to have arrived', () => {
    const lane = outgoingLane();
    for (let count = 0; count < 3; count++) push(lane, Buffer.alloc(1));
    for (let count = 0; count < 3; count++) take(lane);
    // Numbers that were sent long ago, as far as the lane can know.
    const ranges = Array.from({ length: 32 }, () => ({ from: 1, to: 2 }));
    for (let count = 0; count < 10_000; count++) lane.confirm(0, ranges);
    expect(lane.unconfirmedFrames).toBe(1);
  });
});

describe('what a connection carried', () => {
  test('goes over another one, lowest numbers first, and says that it may have arrived', () => {
    const lane = outgoingLane();
    for (const carrier of ['a', 'b', 'a', 'b']) {
      push(lane, Buffer.from(carrier));
      take(lane, 10, carrier);
    }
    lane.release('a');
    expect([lane.isReady, lane.isEmpty]).toEqual([true, false]);
    const again = [take(lane, 10, 'b'), take(lane, 10, 'b')];
    expect(again.map(({ frameNumber, flags }) => [frameNumber, flags])).toEqual([
      [0, FLAG_AGAIN],
      [2, FLAG_AGAIN],
    ]);
    expect(received(again[1] as OutgoingFrame).body.toString()).toBe('a');
    expect([...lane.carriers.keys()]).toEqual(['b']);
    lane.release('a');
    expect(lane.isReady).toBe(false);
    lane.release('b');
    expect([0, 1, 2, 3].map(() => take(lane, 10, 'c').frameNumber)).toEqual([0, 1, 2, 3]);
  });

  test('does not go again once it has arrived', () => {
    const lane = outgoingLane();
    for (let count = 0; count < 3; count++) push(lane, Buffer.alloc(1));
    for (let count = 0; count < 3; count++) take(lane);
    lane.release('a');
    lane.confirm(2);
    expect(take(lane).frameNumber).toBe(2);
    expect([lane.take('b', 1), lane.isEmpty]).toEqual([undefined, true]);
  });

  test('is known with the time since which it is out', () => {
    let nowMs = 0;
    const lane = outgoingLane({ now: () => nowMs });
    for (const carrier of ['a', 'b', 'a']) {
      push(lane, Buffer.alloc(1));
      take(lane, 1, carrier);
      nowMs += 10;
    }
    expect([...lane.carriers]).toEqual([
      ['a', 0],
      ['b', 10],
    ]);
    lane.confirm(1);
    lane.release('b');
    expect([...lane.carriers]).toEqual([['a', 20]]);
    nowMs = 100;
    take(lane, 1, 'a');
    expect([...lane.carriers]).toEqual([['a', 20]]);
  });
});

describe('the parts of a message', () => {
  function pushed(lane: ReturnType<typeof outgoingLane>, bytes: number): { done: number } {
    const told = { done: 0 };
    const parts = [Buffer.alloc(bytes)];
    lane.push({ type: FrameType.batch, generation: 0, parts, settle: () => {}, done: () => told.done++ });
    return told;
  }

  test('are done with when its last frame is confirmed', () => {
    const lane = outgoingLane();
    const told = pushed(lane, 40 * KIB);
    for (let count = 0; count < 3; count++) take(lane);
    lane.confirm(0, [{ from: 1, to: 2 }]);
    expect(told.done).toBe(0);
    lane.confirm(3);
    expect(told.done).toBe(1);
  });

  test('are not done with while some of them have not gone out', () => {
    const lane = outgoingLane();
    const told = pushed(lane, 40 * KIB);
    take(lane);
    lane.confirm(1);
    expect(told.done).toBe(0);
  });

  test('are never done with where a frame went twice, as another connection may hold it still', () => {
    const lane = outgoingLane();
    const told = pushed(lane, 20 * KIB);
    take(lane);
    take(lane, 16 * KIB, 'b');
    lane.release('a');
    expect(take(lane, 16 * KIB, 'b').flags & FLAG_AGAIN).toBe(FLAG_AGAIN);
    lane.confirm(2);
    expect([told.done, lane.unconfirmedFrames]).toEqual([0, 0]);
  });
});
