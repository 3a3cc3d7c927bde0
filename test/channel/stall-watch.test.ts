import { describe, expect, test } from 'vitest';
import type { Member } from '../../src/channel/member.js';
import { FrameType } from '../../src/channel/messages.js';
import { OutgoingLane } from '../../src/channel/outgoing.js';
import { StallWatch } from '../../src/channel/stall-watch.js';
import { FakeClock } from './fake-clock.js';
import { SESSION } from './lane-frames.js';

interface Watched {
  clock: FakeClock;
  lane: OutgoingLane<Member>;
  stalled: [string, number][];
  member: (name: string) => Member;
  /** The number of the frame that it took. */
  send: (by: Member) => number;
  watch: StallWatch;
}

function watching(roundTripMs: number | undefined): Watched {
  const clock = new FakeClock();
  const endless = { creditBytes: Number.POSITIVE_INFINITY, unconfirmedBytesMax: () => Number.POSITIVE_INFINITY };
  const lane = new OutgoingLane<Member>({
    session: SESSION,
    ...endless,
    now: () => clock.now(),
    onArrived: (member) => {
      if (member !== undefined) member.progressAtMs = clock.now();
    },
  });
  const stalled: [string, number][] = [];
  const names = new Map<Member, string>();
  const onStall = (member: Member): void => {
    stalled.push([names.get(member) ?? '', clock.now()]);
    lane.release(member);
  };
  const watch = new StallWatch({ clock, lanes: [lane], roundTripMs: () => roundTripMs, onStall });
  return {
    clock,
    lane,
    stalled,
    watch,
    member: (name) => {
      const member = { progressAtMs: 0 } as Member;
      names.set(member, name);
      return member;
    },
    send: (by) => {
      lane.push({ type: FrameType.batch, generation: 0, parts: [Buffer.alloc(10)], settle: () => {} });
      const frame = lane.take(by, 10);
      watch.watch();
      return frame?.frameNumber ?? expect.fail('nothing to send');
    },
  };
}

describe('a connection stalls', () => {
  test.each([
    [undefined, 400],
    [10, 400],
    [200, 500],
  ])(
    'that gets nothing across for two and a half round trips (of %s ms), 400 ms at least',
    async (roundTripMs, stallMs) => {
      const { clock, stalled, member, send } = watching(roundTripMs);
      send(member('a'));
      await clock.advance(stallMs - 1);
      expect(stalled).toEqual([]);
      await clock.advance(stallMs / 4);
      expect(stalled.map(([name]) => name)).toEqual(['a']);
      expect(clock.pendingTimers).toBe(1);
    },
  );

  test('unless something else of its load has arrived in that time', async () => {
    const { clock, lane, stalled, member, send } = watching(10);
    const slow = member('slow');
    for (let number = 0; number < 10; number++) {
      send(slow);
      send(slow);
      await clock.advance(300);
      // The second of each two, so that the first frame of all stays out.
      lane.confirm(0, [{ from: 2 * number + 1, to: 2 * number + 1 }]);
    }
    expect(stalled).toEqual([]);
    await clock.advance(600);
    expect(stalled.map(([name]) => name)).toEqual(['slow']);
  });

  test('and not the others', async () => {
    const { clock, lane, stalled, member, send } = watching(10);
    const [dead, alive] = [member('dead'), member('alive')];
    send(dead);
    for (let count = 0; count < 10; count++) {
      const number = send(alive);
      await clock.advance(90);
      lane.confirm(0, [{ from: number, to: number }]);
    }
    expect(new Set(stalled.map(([name]) => name))).toEqual(new Set(['dead']));
  });

  test('also when it is over already, and ended as if all were well', async () => {
    const { clock, stalled, member, send } = watching(10);
    // Nothing but the lane knows of it any more.
    send(member('gone'));
    await clock.advance(1000);
    expect(stalled.map(([name]) => name)).toEqual(['gone']);
  });
});

describe('the watch', () => {
  test('goes on as long as something is out, and no longer', async () => {
    const { clock, lane, member, send } = watching(10);
    send(member('a'));
    await clock.advance(50);
    expect(clock.pendingTimers).toBe(1);
    lane.confirm(1);
    await clock.advance(100);
    expect(clock.pendingTimers).toBe(0);
  });

  test('ends when it is stopped', async () => {
    const { clock, stalled, member, send, watch } = watching(10);
    send(member('a'));
    watch.stop();
    await clock.advance(10_000);
    expect([stalled, clock.pendingTimers]).toEqual([[], 0]);
  });
});
