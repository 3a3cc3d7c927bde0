import type { Path } from '../channel/bundle.js';
import type { OnFull } from '../journal/journal.js';
import type { Priority } from '../options.js';
import type { RateOptions } from './rate-options.js';

/** Where a peer is, and how fast it is sent to. */
export interface PeerAddress extends RateOptions {
  name: string;
  host: string;
  port: number;
  /** The address of this machine to go out from (default: the system chooses). */
  localAddress?: string;
  /**
   * Further ways to the same peer, up to 7. Those that are not `spare` share the load with the first one; a spare one has a
   * single connection that carries heartbeats alone, until no other path works.
   */
  paths?: Path[];
  /** In the place of the sender's `priority`. */
  priority?: Priority;
  /**
   * What happens when this peer holds the queue at its limit: `block` (default) has appends wait, `error` refuses them
   * with QueueFullError, `detach` goes on without the peer, which then needs a full resynchronisation.
   */
  onFull?: OnFull;
  /** The ids that this peer may have, in the place of the sender's `allow`: 64 hexadecimal digits each. */
  allow?: readonly string[];
}

/** All ways to it. */
export function pathsOf({ host, port, localAddress, paths = [] }: PeerAddress): Path[] {
  return [{ host, port, ...(localAddress === undefined ? {} : { localAddress }) }, ...paths];
}
