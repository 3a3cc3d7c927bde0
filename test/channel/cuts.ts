import type { Random } from '../../fuzz/random.js';
import type { Connection } from '../../src/channel/connection.js';
import type { Message } from '../../src/channel/incoming.js';
import { laneOf } from '../../src/channel/lanes.js';
import { FrameType } from '../../src/channel/messages.js';
import { ConnectionLostError } from '../../src/errors.js';
import { type Side, sideOf } from './channels.js';
import { FakeClock } from './fake-clock.js';
import { Relay } from './relay.js';
import { collect, socketPair, turns } from './sockets.js';

/**
 * Two ends of a session that send each other messages in both lanes, over connections that are cut at random moments, in
 * every way a connection can end, while new ones come. The moments are counted in messages, and the clock is turned by hand.
 */

export interface CutsOptions {
  random: Random;
  cuts: number;
  connectionsMax: number;
}

const MESSAGES_BETWEEN_MAX = 16;
const CONTROL_OUTSTANDING_MAX = 200;
const TURNS_WITHOUT_MESSAGE_MAX = 20_000;
const TICK_MS = 5;

const { batch, ack } = FrameType;

/** One connection of both ends, and the ways to lose it. */
interface Line {
  connections: [Connection, Connection];
  lose: () => void;
}

/** One direction: what was sent so far, and what came out at the other end. */
class Stream {
  readonly sent = { data: 0, control: 0 };
  readonly arrived = { data: 0, control: 0 };

  get arrivedMessages(): number {
    return this.arrived.data + this.arrived.control;
  }

  get isComplete(): boolean {
    return this.arrived.data === this.sent.data && this.arrived.control === this.sent.control;
  }

  next(lane: 'data' | 'control', bytes: number): Buffer {
    const number = this.sent[lane]++;
    const body = Buffer.alloc(4 + bytes, number);
    body.writeUInt32LE(number);
    return body;
  }

  take({ type, body }: Message): void {
    const lane = laneOf(type) ?? 'data';
    const number = body.readUInt32LE();
    if (number !== this.arrived[lane])
      throw new Error(`${lane} message ${number} in the place of ${this.arrived[lane]}`);
    if (!body.subarray(4).equals(Buffer.alloc(body.byteLength - 4, number)))
      throw new Error(`${lane} ${number} is damaged`);
    this.arrived[lane]++;
  }
}

export class Cuts {
  readonly #o: CutsOptions;
  readonly #clock = new FakeClock();
  readonly #streams: [Stream, Stream] = [new Stream(), new Stream()];
  readonly #lines: Line[] = [];
  #sides: [Side, Side] | undefined;
  #cuts = 0;
  #nextCutAt = 0;
  #failure: unknown;

  constructor(options: CutsOptions) {
    this.#o = options;
  }

  /** Resolves with what came across once every cut is made and everything has arrived; rejects with what went wrong. */
  async run(): Promise<{ messages: number; cuts: number }> {
    const lead = await this.#line();
    this.#sides = [this.#side(lead.connections[0], 1), this.#side(lead.connections[1], 0)];
    this.#lines.push(lead);
    for (const from of [0, 1] as const) {
      this.#produce(from).catch((error: unknown) => {
        this.#failure ??= error;
      });
    }
    await this.#until(() => this.#cuts >= this.#o.cuts);
    await this.#until(() => this.#streams.every(({ isComplete }) => isComplete));
    await this.#until(() => this.#ends.every(({ channel }) => channel.backlog.unconfirmedBytes === 0));
    // Those that nothing gets through any more take their time to be found out.
    await this.#until(() => this.#ends.every(({ channel }) => channel.members.size === this.#lines.length));
    await Promise.all(this.#ends.map(({ channel }) => channel.end()));
    for (const { channel } of this.#ends) {
      const reason = await channel.closed;
      if (reason !== undefined) throw reason;
    }
    return { messages: this.#messages, cuts: this.#cuts };
  }

  get #ends(): [Side, Side] {
    if (this.#sides === undefined) throw new Error('not begun');
    return this.#sides;
  }

  get #messages(): number {
    return this.#streams[0].arrivedMessages + this.#streams[1].arrivedMessages;
  }

  #side(lead: Connection, from: 0 | 1): Side {
    const { random } = this.#o;
    const onMessage = (message: Message): void | Promise<void> => {
      try {
        this.#streams[from].take(message);
        // Some cuts fall right between two messages of one frame's worth of bytes, others between turns of the event loop.
        if (random.chance(0.5)) this.#cut();
      } catch (error) {
        this.#failure ??= error;
      }
      if (random.chance(0.2)) return turns(random.below(3));
    };
    return sideOf(lead, { onMessage, clock: this.#clock });
  }

  async #produce(from: 0 | 1): Promise<void> {
    const { random } = this.#o;
    const { channel } = this.#ends[from];
    const stream = this.#streams[from];
    while (this.#cuts < this.#o.cuts) {
      const bytes = random.pick([random.below(100), random.below(5000), random.below(60_000), random.below(300_000)]);
      if (random.chance(0.3) && stream.sent.control - stream.arrived.control < CONTROL_OUTSTANDING_MAX) {
        channel.sendControl(ack, stream.next('control', random.below(2000)));
      } else await channel.send(batch, stream.next('data', bytes));
    }
  }

  /** One more line is cut when it is time; one always stays, as a session is over with its last connection. */
  #cut(): void {
    const { random, cuts } = this.#o;
    if (this.#cuts >= cuts || this.#messages < this.#nextCutAt || this.#lines.length < 2) return;
    this.#nextCutAt = this.#messages + random.between(1, MESSAGES_BETWEEN_MAX);
    const [line] = this.#lines.splice(random.below(this.#lines.length), 1);
    line?.lose();
    this.#cuts++;
  }

  async #until(condition: () => boolean): Promise<void> {
    let [seen, idle] = [this.#messages, 0];
    while (!condition()) {
      await this.#renew();
      this.#cut();
      await turns(1);
      await this.#clock.advance(TICK_MS);
      if (this.#failure !== undefined) throw this.#failure;
      for (const { channel } of this.#ends) if (channel.members.size === 0) throw await channel.closed;
      idle = this.#messages === seen ? idle + 1 : 0;
      seen = this.#messages;
      if (idle > TURNS_WITHOUT_MESSAGE_MAX) throw new Error(`nothing came across any more: ${this.#state}`);
    }
  }

  get #state(): string {
    const streams = this.#streams.map(({ sent, arrived }) => ({ sent, arrived }));
    const members = this.#ends.map(({ channel }) =>
      [...channel.members].map(({ stalled, retiring }) => [stalled, retiring]),
    );
    return JSON.stringify({
      cuts: this.#cuts,
      streams,
      members,
      backlog: this.#ends.map(({ channel }) => channel.backlog),
    });
  }

  /** New lines come, now and then, and at once when there is but one left. */
  async #renew(): Promise<void> {
    const { random, connectionsMax } = this.#o;
    const isWanted = this.#lines.length < connectionsMax && (this.#lines.length < 2 || random.chance(0.3));
    if (!isWanted) return;
    const line = await this.#line();
    const role = { path: random.below(3), spare: random.chance(0.2) };
    for (const [index, { channel }] of this.#ends.entries()) {
      const connection = line.connections[index] as Connection;
      if (channel.add(connection, role) === undefined) throw new Error('no place for another connection');
    }
    this.#lines.push(line);
  }

  async #line(): Promise<Line> {
    const { random } = this.#o;
    const relay = random.chance(0.5) ? await Relay.open() : undefined;
    const sockets = relay === undefined ? await socketPair() : ([relay.left, relay.right] as const);
    const clock = this.#clock;
    const connections = sockets.map((socket) => collect(socket, { clock }).connection) as [Connection, Connection];
    const one = random.below(2) as 0 | 1;
    const lose = random.pick([
      () => sockets[one].destroy(),
      () => sockets[one].resetAndDestroy(),
      () => connections[one].destroy(new ConnectionLostError('a peer', 'the test says so')),
      () => void connections[one].end(),
      () => (relay === undefined ? sockets[one].end() : relay.close()),
      () => (relay === undefined ? sockets[one].end() : relay.hold()),
    ]);
    return { connections, lose };
  }
}
