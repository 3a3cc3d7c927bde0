import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Connection } from '../../src/channel/connection.js';
import { FRAGMENT_BYTES_MIN, type Frame } from '../../src/channel/frame.js';
import { IncomingLane } from '../../src/channel/incoming.js';
import { costOf, MESSAGE_BYTES_MAX } from '../../src/channel/lanes.js';
import { Member, type MemberHost } from '../../src/channel/member.js';
import { FrameType } from '../../src/channel/messages.js';
import { OutgoingLane } from '../../src/channel/outgoing.js';
import { decodeWindow, encodeWindow } from '../../src/channel/window.js';
import { rounds } from '../support/seed.js';
import { received, SESSION } from './lane-frames.js';

/**
 * A lane from end to end over carriers that delay, stall, die and come back as they like: what arrives is what was sent. On
 * each carrier frames stay in order; windows come in any order, or not at all. fast-check prints the seed of a failing run.
 */

type Step =
  | { name: 'push'; bytes: number }
  | { name: 'take'; carrier: number; frames: number; bodyBytes: number }
  | { name: 'deliver'; carrier: number; frames: number }
  | { name: 'say' }
  | { name: 'hear'; index: number }
  | { name: 'stall'; carrier: number }
  | { name: 'die'; carrier: number }
  | { name: 'bound'; bytes: number }
  | { name: 'handle' };

const CARRIERS = 4;
const WINDOW_BYTES = 96 * 1024;
const UNCONFIRMED_BYTES = { min: costOf(FRAGMENT_BYTES_MIN) + costOf(0), max: 128 * 1024 };
const HOST = {} as MemberHost;

const carrier = fc.nat(CARRIERS - 1);
const frames = fc.integer({ min: 1, max: 6 });
const bodyBytes = fc.integer({ min: FRAGMENT_BYTES_MIN, max: 40_000 });
const bytes = fc.oneof(fc.constantFrom(0, 1), fc.nat(300), fc.nat(30_000), fc.nat(150_000));
const bound = fc.oneof(fc.integer({ ...UNCONFIRMED_BYTES, max: 12_000 }), fc.integer(UNCONFIRMED_BYTES));
const named = <Name extends string>(name: Name) => fc.constant(name);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ name: named('push'), bytes }) },
  { weight: 8, arbitrary: fc.record({ name: named('take'), carrier, frames, bodyBytes }) },
  { weight: 6, arbitrary: fc.record({ name: named('deliver'), carrier, frames }) },
  { weight: 3, arbitrary: fc.record({ name: named('say') }) },
  { weight: 3, arbitrary: fc.record({ name: named('hear'), index: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ name: named('stall'), carrier }) },
  { weight: 1, arbitrary: fc.record({ name: named('die'), carrier }) },
  { weight: 4, arbitrary: fc.record({ name: named('handle') }) },
  { weight: 1, arbitrary: fc.record({ name: named('bound'), bytes: bound }) },
);

/** One carrier: frames in order on their way, and the other end's view of it. */
class Carrier {
  readonly way: Frame[] = [];
  readonly member = new Member(undefined as unknown as Connection, { path: 0, spare: false }, HOST, 0);
}

class World {
  readonly sent: Buffer[] = [];
  readonly messages: Buffer[] = [];
  readonly #carriers = Array.from({ length: CARRIERS }, () => new Carrier());
  readonly #windows: Buffer[] = [];
  readonly #done: (() => void)[] = [];
  #arrivals = 0;
  #unconfirmedBytesMax = UNCONFIRMED_BYTES.max;
  readonly #out: OutgoingLane<Carrier>;
  readonly #in: IncomingLane;

  constructor() {
    this.#out = new OutgoingLane<Carrier>({
      session: SESSION,
      creditBytes: WINDOW_BYTES,
      unconfirmedBytesMax: () => this.#unconfirmedBytesMax,
      now: () => 0,
      onArrived: () => this.#arrivals++,
    });
    this.#in = new IncomingLane({
      messageBytesMax: MESSAGE_BYTES_MAX,
      windowBytes: WINDOW_BYTES,
      onMessage: ({ body }) => {
        this.messages.push(body);
        // Every third message takes its time.
        if (this.messages.length % 3 !== 0) return;
        return new Promise((resolve) => this.#done.push(resolve));
      },
      onError: (error) => {
        throw error;
      },
      onProgress: () => {},
    });
  }

  async run(step: Step): Promise<void> {
    switch (step.name) {
      case 'push':
        return this.#push(step.bytes);
      case 'take':
        return this.#take(this.#at(step.carrier), step.frames, step.bodyBytes);
      case 'deliver':
        return this.#deliver(this.#at(step.carrier), step.frames);
      case 'say':
        return this.#say();
      case 'hear':
        return this.#hear(step.index);
      case 'stall':
        return this.#out.release(this.#at(step.carrier));
      case 'die':
        return this.#die(step.carrier);
      case 'handle':
        return this.#handle();
      case 'bound':
        this.#unconfirmedBytesMax = step.bytes;
    }
  }

  /** Everything goes well from here on, until nothing is left to do. */
  async finish(): Promise<void> {
    for (let index = 0; index < CARRIERS; index += 2) this.#die(index);
    for (let turns = 0; this.messages.length < this.sent.length || this.#done.length > 0; turns++) {
      expect(turns, 'rounds until everything is there').toBeLessThan(10_000);
      for (const one of this.#carriers) {
        this.#take(one, 3, 20_000);
        this.#deliver(one, 3);
      }
      await this.#handle();
      this.#say();
      while (this.#windows.length > 0) this.#hear(0);
    }
    this.#say();
    while (this.#windows.length > 0) this.#hear(0);
    expect([this.#out.unconfirmedFrames, this.#out.unconfirmedBytes, this.#out.waitingBytes]).toEqual([0, 0, 0]);
    expect(this.#in.hasGap).toBe(false);
    expect(this.#arrivals).toBe(this.#in.next);
  }

  checkBounds(): void {
    const { unconfirmedBytes, unconfirmedFrames } = this.#out;
    expect(unconfirmedBytes + unconfirmedFrames * costOf(0)).toBeLessThanOrEqual(UNCONFIRMED_BYTES.max);
    expect(this.#in.heldBytes).toBeLessThanOrEqual(WINDOW_BYTES + 150_000);
  }

  #at(index: number): Carrier {
    return this.#carriers[index] as Carrier;
  }

  #push(bytes: number): void {
    const body = Buffer.alloc(bytes, this.sent.length);
    this.sent.push(body);
    const half = bytes >>> 1;
    const parts = [body.subarray(0, half), body.subarray(half)];
    this.#out.push({ type: FrameType.batch, generation: 0, parts, settle: () => {} });
  }

  #take(one: Carrier, frames: number, bodyBytes: number): void {
    for (let count = 0; count < frames; count++) {
      const frame = this.#out.take(one, bodyBytes);
      if (frame === undefined) return;
      one.way.push(received(frame));
    }
  }

  /** A violation would be thrown here: of the order on one connection, or of the credit. */
  #deliver(one: Carrier, frames: number): void {
    for (const frame of one.way.splice(0, frames)) {
      one.member.checkOrder('data', frame);
      this.#in.accept(frame);
    }
  }

  #say(): void {
    const { next, takenNext, creditBytes } = this.#in;
    expect(takenNext).toBeLessThanOrEqual(next);
    // As few ranges as this, so that some do not fit.
    const arrived = this.#in.ranges(3);
    this.#windows.push(encodeWindow({ dataNext: next, controlNext: 0, creditBytes, arrived }));
  }

  #hear(index: number): void {
    const [body] = this.#windows.splice(index % Math.max(1, this.#windows.length), 1);
    if (body === undefined) return;
    const { dataNext, creditBytes, arrived } = decodeWindow(body);
    this.#out.confirm(dataNext, arrived);
    this.#out.grant(creditBytes);
  }

  #die(index: number): void {
    this.#out.release(this.#at(index));
    this.#carriers[index] = new Carrier();
    this.#windows.shift();
  }

  async #handle(): Promise<void> {
    this.#done.shift()?.();
    for (let turn = 0; turn < 4; turn++) await Promise.resolve();
  }
}

test('every message arrives once, in order and whole, whatever happens to what carries it', async () => {
  const steps = fc.array(step, { minLength: 10, maxLength: 300, size: 'max' });
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const world = new World();
      for (const one of all) {
        await world.run(one);
        world.checkBounds();
      }
      await world.finish();
      expect(world.messages.length).toBe(world.sent.length);
      for (const [index, body] of world.messages.entries()) {
        expect(body.equals(world.sent[index] as Buffer), `message ${index}`).toBe(true);
      }
    }),
    { numRuns: rounds(300) },
  );
});
