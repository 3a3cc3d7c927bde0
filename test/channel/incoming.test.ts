import { describe, expect, test } from 'vitest';
import { FRAGMENT_BYTES_MIN } from '../../src/channel/frame.js';
import { IncomingLane, type IncomingOptions, type Message } from '../../src/channel/incoming.js';
import { costOf } from '../../src/channel/lanes.js';
import { FrameType } from '../../src/channel/messages.js';
import { ProtocolError } from '../../src/errors.js';
import { fragmentOf, frameOf } from './lane-frames.js';

const KIB = 1024;

interface Taken {
  lane: IncomingLane;
  messages: Message[];
  errors: unknown[];
  texts: () => string[];
  progress: () => number;
}

function taking(o: Partial<IncomingOptions> = {}): Taken {
  const messages: Message[] = [];
  const errors: unknown[] = [];
  let progress = 0;
  const lane = new IncomingLane({
    messageBytesMax: 100 * KIB,
    windowBytes: 64 * KIB,
    onMessage: (message) => void messages.push(message),
    onError: (error) => errors.push(error),
    onProgress: () => progress++,
    ...o,
  });
  return { lane, messages, errors, texts: () => messages.map(({ body }) => body.toString()), progress: () => progress };
}

const text = (number: number, said: string) => frameOf(number, Buffer.from(said));

/** A handler that is busy until the test lets it go on. */
function busyHandler(): { onMessage: IncomingOptions['onMessage']; texts: string[]; goOn: () => Promise<void> } {
  const texts: string[] = [];
  let done = (): void => {};
  return {
    texts,
    onMessage: ({ body }) => {
      texts.push(body.toString());
      return new Promise<void>((resolve) => {
        done = resolve;
      });
    },
    goOn: async () => {
      done();
      for (let turn = 0; turn < 4; turn++) await Promise.resolve();
    },
  };
}

describe('order', () => {
  test('is that of the numbers, whatever order frames come in', () => {
    const { lane, texts } = taking();
    for (const number of [2, 0, 3, 1, 5]) expect(lane.accept(text(number, `${number}`))).toBe(true);
    expect(texts()).toEqual(['0', '1', '2', '3']);
    expect([lane.next, lane.takenNext, lane.hasGap]).toEqual([4, 4, true]);
    expect(lane.ranges(32)).toEqual([{ from: 5, to: 5 }]);
    lane.accept(text(4, '4'));
    expect(texts()).toEqual(['0', '1', '2', '3', '4', '5']);
    expect([lane.next, lane.hasGap, lane.ranges(32)]).toEqual([6, false, []]);
  });

  test('holds when frames come twice, in place or not, taken out or not', () => {
    const { lane, texts } = taking();
    lane.accept(text(0, '0'));
    lane.accept(text(2, '2'));
    for (const number of [0, 2]) expect(lane.accept(text(number, 'again'))).toBe(false);
    lane.accept(text(1, '1'));
    for (const number of [0, 1, 2]) expect(lane.accept(text(number, 'again'))).toBe(false);
    expect(texts()).toEqual(['0', '1', '2']);
  });

  test('fragments make one message, with the type and generation of all of them', () => {
    const { lane, messages } = taking();
    const o = { type: FrameType.reply, generation: 9 };
    const parts = [1, 2, 3].map((value) => Buffer.alloc(5000, value));
    const [first, second, last] = parts as [Buffer, Buffer, Buffer];
    lane.accept(fragmentOf(1, second, o));
    lane.accept(frameOf(2, last, o));
    expect(messages).toEqual([]);
    expect(lane.hasGap).toBe(true);
    lane.accept(fragmentOf(0, first, o));
    expect(messages[0]).toMatchObject(o);
    expect(messages[0]?.body.equals(Buffer.concat(parts))).toBe(true);
    expect([lane.hasGap, lane.heldBytes]).toEqual([false, 0]);
  });
});

describe('a busy handler', () => {
  test('gets one message at a time, and then what has come meanwhile', async () => {
    const { onMessage, texts, goOn } = busyHandler();
    const { lane, progress } = taking({ onMessage });
    for (const number of [0, 1, 2]) lane.accept(text(number, `${number}`));
    expect(texts).toEqual(['0']);
    expect([lane.next, lane.takenNext, lane.isBusy]).toEqual([3, 1, true]);
    await goOn();
    expect([texts, progress()]).toEqual([['0', '1'], 1]);
    await goOn();
    await goOn();
    expect([texts, lane.isBusy, lane.takenNext]).toEqual([['0', '1', '2'], false, 3]);
  });

  test('makes the credit stand still, and it goes on afterwards', async () => {
    const { onMessage, goOn } = busyHandler();
    const { lane } = taking({ onMessage });
    const before = lane.creditBytes;
    lane.accept(text(0, '0'));
    const credit = before + costOf(1);
    expect(lane.creditBytes).toBe(credit);
    for (let number = 1; number < 50; number++) lane.accept(text(number, '1'));
    expect(lane.creditBytes).toBe(credit);
    await goOn();
    expect(lane.creditBytes).toBe(credit + costOf(1));
  });

  test.each(['thrown', 'rejected'])('that fails (%s) ends the lane, and gets nothing more', async (how) => {
    const failure = new Error('the test says so');
    let calls = 0;
    const onMessage = (): Promise<void> => {
      calls++;
      if (how === 'thrown') throw failure;
      return Promise.reject(failure);
    };
    const { lane, errors } = taking({ onMessage });
    lane.accept(text(0, '0'));
    lane.accept(text(1, '1'));
    for (let turn = 0; turn < 4; turn++) await Promise.resolve();
    expect([errors, calls]).toEqual([[failure], 1]);
    lane.accept(text(2, '2'));
    expect(calls).toBe(1);
  });

  test('that ends after the lane was stopped is followed by nothing', async () => {
    const { onMessage, texts, goOn } = busyHandler();
    const { lane, progress } = taking({ onMessage });
    lane.accept(text(0, '0'));
    lane.accept(text(1, '1'));
    lane.stop();
    await goOn();
    expect([texts, progress()]).toEqual([['0'], 0]);
  });
});

describe('bounds', () => {
  test('frames over the credit are a violation, and leave no trace', () => {
    const { lane } = taking({ windowBytes: 3 * costOf(100) });
    for (const number of [1, 2, 3]) lane.accept(frameOf(number, Buffer.alloc(100)));
    const held = lane.heldBytes;
    expect(() => lane.accept(frameOf(4, Buffer.alloc(0)))).toThrow(ProtocolError);
    expect([lane.heldBytes, lane.ranges(9)]).toEqual([held, [{ from: 1, to: 3 }]]);
  });

  test('credit is not taken back when the window shrinks', () => {
    const { lane } = taking({ windowBytes: 1000 });
    const { creditBytes } = lane;
    lane.windowBytes = 10;
    expect(lane.creditBytes).toBe(creditBytes);
    lane.windowBytes = 2000;
    expect(lane.creditBytes).toBe(2000);
  });

  test('many frames of nothing take credit too', () => {
    const { lane } = taking({ windowBytes: 10 * costOf(0) });
    for (let number = 1; number <= 10; number++) lane.accept(frameOf(number));
    expect(() => lane.accept(frameOf(11))).toThrow(ProtocolError);
  });

  test.each([1000, 2 ** 32, Number.MAX_SAFE_INTEGER])(
    'frame %d, further than the credit goes, is a violation',
    (far) => {
      const { lane } = taking({ windowBytes: 10 * costOf(0) });
      expect(() => lane.accept(frameOf(far))).toThrow(ProtocolError);
      expect(lane.heldBytes).toBe(0);
    },
  );

  test('a message over the limit ends the lane, before it is put together', () => {
    const { lane, errors, messages } = taking({ messageBytesMax: 20_000, windowBytes: 100_000 });
    for (const number of [0, 1, 2]) lane.accept(fragmentOf(number, Buffer.alloc(8000)));
    expect(errors).toEqual([expect.any(ProtocolError)]);
    expect([messages, lane.hasGap]).toEqual([[], false]);
  });

  test.each([0, 1, FRAGMENT_BYTES_MIN - 1])('a fragment of %d bytes that others follow is a violation', (bytes) => {
    const { lane, errors } = taking();
    expect(() => lane.accept(fragmentOf(0, Buffer.alloc(bytes)))).toThrow(ProtocolError);
    expect([errors, lane.heldBytes, lane.next]).toEqual([[], 0, 0]);
    expect(lane.accept(fragmentOf(0, Buffer.alloc(FRAGMENT_BYTES_MIN)))).toBe(true);
    expect(lane.accept(frameOf(1, Buffer.alloc(bytes)))).toBe(true);
  });

  test.each([{ type: FrameType.reply }, { generation: 1 }])('fragments of two messages, %o, end the lane', (other) => {
    const { lane, errors, messages } = taking();
    lane.accept(fragmentOf(0, Buffer.alloc(5000)));
    lane.accept(frameOf(1, Buffer.alloc(1), other));
    expect(errors).toEqual([expect.any(ProtocolError)]);
    expect(messages).toEqual([]);
  });

  test('a word about very many frames behind a gap costs little', () => {
    const { lane } = taking({ windowBytes: 32 * KIB * KIB });
    const frames = Math.floor((32 * KIB * KIB) / costOf(0)) - 1;
    for (let number = 1; number < frames; number += 2) lane.accept(frameOf(number));
    // Sorting them for each word would take minutes.
    for (let count = 0; count < 20_000; count++) expect(lane.ranges(32)).toHaveLength(32);
  });
});
