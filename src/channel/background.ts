import { KIB } from '../options.js';
import { type BackgroundStatus, BackgroundWindow } from './background-window.js';
import type { Member } from './member.js';
import type { Members } from './members.js';
import { RoundTrips } from './round-trips.js';
import type { SendWindow } from './send-window.js';

export interface BackgroundOptions {
  members: Members;
  bytesMax: number;
  now: () => number;
}

/** So much of the window keeps a connection busy; with less, fewer of them carry something at a time. */
const SHARE_BYTES = 32 * KIB;
/** What a connection carries already goes out within a round trip or this time: it is not to be taken for one that stalls. */
const DRAIN_MS_MIN = 200;
/** A pace that is closer than this to the one in force is not worth the call. */
const CHANGE_PART = 1 / 16;

/** What a channel does that leaves the line to others: a window that yields, and a pace for each connection to go with it. */
export class Background implements SendWindow {
  readonly #members: Members;
  readonly #window: BackgroundWindow;
  /** What each connection is held to. */
  readonly #paces = new WeakMap<Member, number>();

  constructor({ members, bytesMax, now }: BackgroundOptions) {
    this.#members = members;
    this.#window = new BackgroundWindow({ bytesMax, now, roundTrips: new RoundTrips(members) });
  }

  get bytes(): number {
    return this.#window.bytes;
  }

  /** As last measured, its queue included; 0 before. */
  get roundTripMs(): number {
    return this.#window.roundTripMs;
  }

  /** Undefined until something was measured. */
  get yields(): BackgroundStatus | undefined {
    return this.#window.yields;
  }

  note(bytes: number, delayMs: number, underWay: number): void {
    this.#window.note(bytes, delayMs, underWay);
    const active = this.#members.active();
    const carrying = Math.min(active.length, this.#window.bytes / SHARE_BYTES);
    const share = this.#window.paceBytesPerSecond / Math.max(1, carrying);
    const drainMs = Math.max(DRAIN_MS_MIN, this.roundTripMs);
    for (const member of active) this.#pace(member, Math.max(share, (member.underWayBytes * 1000) / drainMs));
  }

  full(): void {
    this.#window.full();
  }

  /** Lets the connections go as fast as they can. */
  end(): void {
    for (const member of this.#members) this.#pace(member, Number.POSITIVE_INFINITY);
  }

  #pace(member: Member, bytesPerSecond: number): void {
    const before = this.#paces.get(member) ?? Number.POSITIVE_INFINITY;
    const isClose = Math.abs(bytesPerSecond - before) < before * CHANGE_PART && Number.isFinite(before);
    if (isClose || bytesPerSecond === before) return;
    this.#paces.set(member, bytesPerSecond);
    member.connection.pace(bytesPerSecond);
  }
}
