import { ByteReader, ByteWriter } from '../engine/bytes.js';
import { InvalidArgumentError, ProtocolError } from '../errors.js';
import { integerOption } from '../options.js';
import type { Clock } from './clock.js';
import { FRAME_HEADER_BYTES } from './frame.js';

export interface HeartbeatOptions {
  clock: Clock;
  /** Default 2000. */
  heartbeatMs: number | undefined;
  /** Default 15000; at least twice heartbeatMs. */
  peerTimeoutMs: number | undefined;
  /** Sends a PING with this body. */
  ping: (body: Buffer) => void;
  /** The peer was silent for too long. */
  lost: (silentMs: number) => void;
}

const DAY_MS = 86_400_000;
const SMOOTHING = 1 / 8;
/** What counts as a sign of life: every frame does, and what comes of a large one, unless it is dripped to hold this end. */
const LIFE_BYTES = FRAME_HEADER_BYTES;

/**
 * Asks the peer for a sign of life at each beat and measures the round trip by what comes back.
 *
 * Silence is counted in beats, not by the clock: when the embedding process was blocked or suspended, the time that
 * passed proves nothing about the peer, whose answers may lie unread in the socket. Beats during which this end itself
 * does not read do not count either.
 */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #beatMs: number;
  readonly #silentBeatsMax: number;
  readonly #ping: (body: Buffer) => void;
  readonly #lost: (silentMs: number) => void;
  readonly #startedAt: number;
  #silentBeats = 0;
  /** Since the last sign of life. */
  #heardBytes = 0;
  #listening = true;
  #timer: unknown;
  #smoothedMs: number | undefined;
  #minMs: number | undefined;

  constructor({ clock, heartbeatMs, peerTimeoutMs, ping, lost }: HeartbeatOptions) {
    this.#clock = clock;
    this.#beatMs = integerOption('heartbeatMs', heartbeatMs, { min: 10, max: DAY_MS, default: 2000 });
    const timeoutMs = integerOption('peerTimeoutMs', peerTimeoutMs, { min: 20, max: DAY_MS, default: 15_000 });
    if (timeoutMs < 2 * this.#beatMs) {
      throw new InvalidArgumentError('peerTimeoutMs', timeoutMs, `at least twice heartbeatMs (${this.#beatMs})`);
    }
    this.#silentBeatsMax = Math.ceil(timeoutMs / this.#beatMs);
    this.#ping = ping;
    this.#lost = lost;
    this.#startedAt = clock.now();
    this.#arm();
  }

  /** Smoothed over the last few beats. */
  get roundTripMs(): number | undefined {
    return this.#smoothedMs;
  }

  get roundTripMinMs(): number | undefined {
    return this.#minMs;
  }

  /** So much more came in, whatever it is. */
  heard(bytes: number): void {
    this.#heardBytes += bytes;
    if (this.#heardBytes < LIFE_BYTES) return;
    this.#heardBytes = 0;
    this.#silentBeats = 0;
  }

  /** Whether this end reads; while it does not, the peer's silence is our own doing. */
  set listening(listening: boolean) {
    this.#listening = listening;
  }

  /** Sends a PING out of turn. */
  beat(): void {
    this.#ping(new ByteWriter(8).u64(this.#nowMicroseconds()).take());
  }

  /** Takes the body of a PONG, which is the body of a PING of ours. */
  answered(body: Buffer): void {
    const reader = new ByteReader(body, 'PONG');
    const sentAt = reader.u64Number();
    reader.end();
    const elapsedMs = (this.#nowMicroseconds() - sentAt) / 1000;
    if (elapsedMs < 0) throw new ProtocolError('PONG to a PING of the future', 'the body of a PING');
    this.#smoothedMs =
      this.#smoothedMs === undefined ? elapsedMs : this.#smoothedMs + (elapsedMs - this.#smoothedMs) * SMOOTHING;
    this.#minMs = Math.min(this.#minMs ?? elapsedMs, elapsedMs);
  }

  stop(): void {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #arm(): void {
    this.#timer = this.#clock.setTimeout(() => {
      if (this.#listening) this.#silentBeats++;
      if (this.#silentBeats >= this.#silentBeatsMax) {
        this.#lost(this.#silentBeats * this.#beatMs);
        return;
      }
      this.#arm();
      this.beat();
    }, this.#beatMs);
  }

  #nowMicroseconds(): number {
    return Math.round((this.#clock.now() - this.#startedAt) * 1000);
  }
}
