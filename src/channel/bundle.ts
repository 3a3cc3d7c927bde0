import { setMaxListeners } from 'node:events';
import { ConnectionLostError, LonghaulError, PeerRefusedError, ProtocolError } from '../errors.js';
import { Backoff } from './backoff.js';
import type { Channel } from './channel.js';
import { type Clock, systemClock } from './clock.js';
import type { Connection } from './connection.js';
import { encodeJoin } from './join.js';
import type { Member } from './member.js';
import { decodeRefusal, FrameType } from './messages.js';
import { Width } from './width.js';

/** One way to a peer. */
export interface Path {
  host: string;
  port: number;
  /** The address of this machine to go out from; undefined: the system chooses. */
  localAddress?: string;
  /** Carries only heartbeats as long as another path is up (default false). */
  spare?: boolean;
}

export type PathState = 'up' | 'stalled' | 'down';

export interface PathStatus extends Path {
  state: PathState;
  connections: number;
  roundTripMs?: number;
  /** Why the last attempt to connect failed. */
  problem?: { code: string; message: string };
}

export interface BundleOptions {
  channel: Channel;
  paths: readonly Path[];
  /** Proves that further connections belong to the session. */
  token: Buffer;
  connections: { min: number; max: number };
  /** Connects and makes sure of the peer; the frames that come then go to `onFrame`. */
  open: (path: Path, signal: AbortSignal) => Promise<Connection>;
  /** Something else than the connections holds the rate, so it is no use to try for more. */
  isHeld: () => boolean;
  clock?: Clock;
}

const LOOK_MS = 250;
const REDIAL = { initialMs: 100, maxMs: 5000 };

/**
 * Keeps a channel at its connections: on each path as many as it is worth, on a spare one a single one. What is lost is dialled
 * again, with growing pauses, as long as the session lasts.
 */
export class Bundle {
  readonly #o: BundleOptions;
  readonly #clock: Clock;
  readonly #over = new AbortController();
  readonly #width: Width;
  readonly #problems = new Map<number, LonghaulError>();
  readonly #running: Promise<void>[] = [];
  readonly #awaitChange: (() => void)[] = [];
  #lookTimer: unknown;

  constructor(options: BundleOptions) {
    this.#o = options;
    // Each connection that is being opened listens, in several places; how many those are is bounded.
    setMaxListeners(0, this.#over.signal);
    this.#clock = options.clock ?? systemClock;
    this.#width = new Width({ ...options.connections, now: () => this.#clock.now() });
  }

  start(): void {
    const { paths, channel } = this.#o;
    for (const index of paths.keys()) this.#running.push(this.#keep(index));
    for (const { connection } of channel.members) void connection.closed.then(() => this.#wake());
    this.#look();
  }

  async stop(): Promise<void> {
    if (!this.#over.signal.aborted) this.#over.abort();
    this.#clock.clearTimeout(this.#lookTimer);
    this.#wake();
    await Promise.all(this.#running);
  }

  get status(): PathStatus[] {
    return this.#o.paths.map((path, index) => {
      const members = this.#membersOf(index);
      const roundTrips = members.map(({ connection }) => connection.roundTripMs).filter((ms) => ms !== undefined);
      const problem = this.#problems.get(index);
      const state = members.length === 0 ? 'down' : members.every(({ stalled }) => stalled) ? 'stalled' : 'up';
      return {
        ...path,
        state,
        connections: members.length,
        ...(roundTrips.length === 0 ? {} : { roundTripMs: Math.min(...roundTrips) }),
        ...(state === 'up' || problem === undefined
          ? {}
          : { problem: { code: problem.code, message: problem.message } }),
      };
    });
  }

  async #keep(index: number): Promise<void> {
    const { signal } = this.#over;
    const backoff = new Backoff({ clock: this.#clock, ...REDIAL });
    while (!signal.aborted) {
      const members = this.#membersOf(index);
      const missing = this.#wanted(index) - members.length;
      if (missing < 0) this.#retireOne(members);
      if (missing <= 0) {
        await this.#change();
        continue;
      }
      const opened = await Promise.all(Array.from({ length: missing }, () => this.#open(index)));
      if (opened.includes(true)) backoff.reset();
      if (opened.includes(false)) await backoff.wait(signal).catch(() => {});
    }
  }

  #wanted(index: number): number {
    return this.#o.paths[index]?.spare === true ? 1 : this.#width.count;
  }

  #membersOf(index: number): Member[] {
    return [...this.#o.channel.members].filter((member) => member.path === index && !member.retiring);
  }

  /** The one that has brought the least. */
  #retireOne(members: readonly Member[]): void {
    const [least] = members.toSorted((a, b) => a.arrivedBytes - b.arrivedBytes);
    if (least !== undefined) this.#o.channel.retire(least);
  }

  /** One connection more; false when it does not come about. */
  async #open(index: number): Promise<boolean> {
    const { paths, open } = this.#o;
    const path = paths[index] as Path;
    const { signal } = this.#over;
    let connection: Connection | undefined;
    const giveUp = () => connection?.destroy(new ConnectionLostError(path.host, 'the session is over'));
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      connection = await open(path, signal);
      if (signal.aborted) giveUp();
      await this.#join(connection, index, path.spare ?? false);
      this.#problems.delete(index);
      return true;
    } catch (error) {
      const problem = error instanceof LonghaulError ? error : new ConnectionLostError(path.host, String(error), error);
      connection?.destroy(problem);
      this.#problems.set(index, problem);
      return false;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** Frames of the session may come right behind JOINED, so the connection is a member before the next frame is read. */
  #join(connection: Connection, path: number, spare: boolean): Promise<void> {
    const { channel, token } = this.#o;
    return new Promise((resolve, reject) => {
      void connection.closed.then((reason) => {
        reject(reason ?? new ConnectionLostError(connection.peer, 'it closed a further connection'));
        this.#wake();
      });
      connection.onFrame = ({ type, body }) => {
        if (type === FrameType.refuse) {
          const { code, message, recoverable } = decodeRefusal(body);
          throw new PeerRefusedError(connection.peer, code, message, recoverable);
        }
        if (type !== FrameType.joined) throw new ProtocolError(`frame type ${type}`, 'JOINED or REFUSE');
        const member = channel.add(connection, { path, spare });
        if (member === undefined) throw new ConnectionLostError(connection.peer, 'the session is over');
        resolve();
      };
      const body = encodeJoin({ session: channel.session, token, path, spare });
      connection.sendControl(FrameType.join, body);
    });
  }

  /** Looks at what comes across, for the number of connections to follow it. */
  #look(): void {
    const { channel, isHeld } = this.#o;
    this.#lookTimer = this.#clock.setTimeout(() => {
      const { waitingBytes, isHeldBack } = channel.backlog;
      const isBusy = waitingBytes > 0 && !isHeldBack && !isHeld();
      const before = this.#width.count;
      const { arrivedBytes, roundTripMs } = channel;
      this.#width.note({ arrivedBytes, isBusy, roundTripMs });
      if (this.#width.count !== before) this.#wake();
      if (!this.#over.signal.aborted) this.#look();
    }, LOOK_MS);
  }

  /** Resolves when a connection is gone, or more or fewer are wanted. */
  #change(): Promise<void> {
    return new Promise((resolve) => this.#awaitChange.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#awaitChange.splice(0)) resolve();
  }
}
