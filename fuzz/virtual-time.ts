import { FakeClock } from '../test/channel/fake-clock.js';

/**
 * What passes of virtual time while there is a millisecond for what takes real time, as work on a disk does: little at first,
 * then more, for pauses to be short; and in the end little again, so that a slow disk is not taken for a peer that is gone.
 */
const paceMs = (waits: number): number => (waits < 20 ? 10 : waits < 200 ? 150 : 5);
/** Of a millisecond at least; what takes longer never comes. Counted, as this process may be the one that is held up. */
const WAITS_MAX = 10_000;

const real = { setTimeout, clearTimeout };

/**
 * Time for a run of things that keep their own: between `begin` and `end` timers and `performance.now()` of this thread
 * follow a clock that only this class turns. What waits for a disk goes on meanwhile.
 */
export class VirtualTime {
  readonly #clock = new FakeClock();

  begin(): void {
    const clock = this.#clock;
    const arm = (callback: () => void, ms = 0) => {
      // As Node does it: no timer fires at once.
      const timer = clock.setTimeout(callback, ms >= 1 ? ms : 1) as object;
      return Object.assign(timer, { unref: () => timer, ref: () => timer });
    };
    globalThis.setTimeout = arm as unknown as typeof setTimeout;
    globalThis.clearTimeout = ((timer: unknown) => clock.clearTimeout(timer)) as typeof clearTimeout;
    performance.now = () => clock.now();
  }

  end(): void {
    globalThis.setTimeout = real.setTimeout;
    globalThis.clearTimeout = real.clearTimeout;
    Reflect.deleteProperty(performance, 'now');
  }

  get pendingTimers(): number {
    return this.#clock.pendingTimers;
  }

  /** Lets what is due within the time happen. */
  async pass(ms: number): Promise<void> {
    await turns(3);
    await this.#clock.advance(ms);
    await turns(3);
  }

  /** Passes as much time as it takes for something to come true. */
  async until(what: string, holds: () => boolean): Promise<void> {
    for (let waits = 0; !holds(); waits++) {
      await turns(5);
      if (holds()) return;
      await new Promise((resolve) => real.setTimeout(resolve, 1));
      await this.#clock.advance(paceMs(waits));
      if (waits > WAITS_MAX) throw new Error(`in vain: ${what}`);
    }
  }

  /** Passes as much time as a promise takes. */
  async settle<T>(what: string, promise: Promise<T>): Promise<T> {
    let over = false;
    const settled = () => {
      over = true;
    };
    promise.then(settled, settled);
    await this.until(what, () => over);
    return promise;
  }
}

export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}
