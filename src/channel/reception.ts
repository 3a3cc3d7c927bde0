import type { Socket } from 'node:net';
import { ConnectionLostError, LonghaulError, TlsFailedError } from '../errors.js';
import { formatAddress } from './address.js';
import type { Clock } from './clock.js';
import { Refusals } from './refusals.js';
import type { SecuredSocket, Security } from './security.js';
import { Strangers, sourceOf } from './strangers.js';

export interface ReceptionOptions {
  security: Security;
  strangersMax: number;
  handshakeTimeoutMs?: number;
  clock?: Clock;
}

/** Where whoever connects stays until it has proved who it is; who cannot is sent away, and that is told. */
export class Reception {
  readonly #options: ReceptionOptions;
  readonly #strangers: Strangers;
  readonly #refusals: Refusals;
  #closed = false;

  constructor(options: ReceptionOptions) {
    this.#options = options;
    this.#strangers = new Strangers(options.strangersMax);
    this.#refusals = new Refusals(options.clock);
  }

  get strangers(): number {
    return this.#strangers.size;
  }

  /** Undefined for one that was sent away, or went. */
  async enter(raw: Socket): Promise<SecuredSocket | undefined> {
    const { security, handshakeTimeoutMs, clock } = this.#options;
    const { remoteAddress: address = '', remotePort: port = 0 } = raw;
    const displaced = this.#strangers.add(raw);
    if (displaced !== undefined) this.#displace(displaced);
    try {
      return await security.server(raw, {
        peer: formatAddress({ host: address, port }),
        ...(handshakeTimeoutMs === undefined ? {} : { timeoutMs: handshakeTimeoutMs }),
        ...(clock === undefined ? {} : { clock }),
      });
    } catch (error) {
      // One that just went away again, as a look at whether the port is open does, is not worth a word.
      const isNews = error instanceof LonghaulError && !(error instanceof ConnectionLostError);
      if (isNews && !this.#closed) this.#refusals.refuse(address, error);
      return undefined;
    } finally {
      this.#strangers.delete(raw, sourceOf(address));
    }
  }

  /** Sends away who is still here; a reset, because an end would be taken for a verdict on who they are. */
  close(): void {
    this.#closed = true;
    for (const raw of this.#strangers) raw.resetAndDestroy();
  }

  #displace(raw: Socket): void {
    const { remoteAddress: address = '', remotePort: port = 0 } = raw;
    raw.resetAndDestroy();
    const peer = formatAddress({ host: address, port });
    this.#refusals.refuse(address, new TlsFailedError(peer, 'too many others were waiting for their handshake'));
  }
}
