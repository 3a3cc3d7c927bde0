import { Channel } from '../src/channel/channel.js';
import { Connection } from '../src/channel/connection.js';
import { LonghaulError } from '../src/errors.js';

/** What is wrapped into an error of ours is one of the system's, or another of ours. Anything else is a fault of our own. */
function isExplained(error: unknown): boolean {
  if (!(error instanceof LonghaulError)) return false;
  const { cause } = error;
  return (
    cause === undefined || cause instanceof LonghaulError || typeof (cause as { code?: unknown }).code === 'string'
  );
}

/**
 * Watches while something runs for what must never happen: errors that nobody takes, and ends of connections and channels that
 * are not one of ours.
 */
export class Escapes {
  readonly found: unknown[] = [];
  readonly #onEscape = (error: unknown): void => void this.found.push(error);
  readonly #undo: (() => void)[] = [];

  /** What escapes of a run is its failure, whatever else goes wrong in it. */
  static async during<T>(run: () => Promise<T>): Promise<T> {
    const escapes = new Escapes();
    escapes.#begin();
    const [outcome] = await Promise.allSettled([run()]);
    escapes.#end();
    if (escapes.found.length > 0) throw escapes.found[0];
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  }

  #begin(): void {
    process.on('unhandledRejection', this.#onEscape);
    process.on('uncaughtException', this.#onEscape);
    this.#watch(Connection.prototype);
    this.#watch(Channel.prototype);
  }

  #end(): void {
    process.off('unhandledRejection', this.#onEscape);
    process.off('uncaughtException', this.#onEscape);
    for (const undo of this.#undo.splice(0)) undo();
  }

  #watch(prototype: Connection | Channel): void {
    const { destroy } = prototype;
    const { found } = this;
    prototype.destroy = function (this: Connection & Channel, reason) {
      if (!isExplained(reason)) found.push(reason);
      destroy.call(this, reason);
    };
    this.#undo.push(() => {
      prototype.destroy = destroy;
    });
  }
}
