import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { requireLoopback } from '../channel/address.js';
import { WINDOW_BYTES_MAX } from '../channel/channel.js';
import { type CongestionControl, congestionControlOption } from '../channel/congestion-control.js';
import { PATHS_MAX } from '../channel/join.js';
import { allowedIds } from '../channel/open-security.js';
import type { SecurityOptions } from '../channel/security.js';
import { InvalidArgumentError } from '../errors.js';
import { type Compression, choiceOption, GIB, integerOption, MIB, type Prefer, type Priority } from '../options.js';
import { parseCompression } from '../reduce/compression.js';
import { REDUCTION_BYTES } from '../reduce/memory-budget.js';
import type { LinkContext } from './link.js';
import type { PeerAddress } from './peer-address.js';
import { type LinkOverheadOptions, type RateOptions, resolveLinkCost, resolveRate } from './rate-options.js';
import type { RatesOptions } from './rates.js';

/** One record of a full resynchronisation. */
export interface ResyncRecord {
  payload: Uint8Array;
  kind?: number;
  key?: string | Uint8Array;
  offset?: number;
}

export interface SenderOptions extends SecurityOptions<ConnectionOptions>, RateOptions, LinkOverheadOptions {
  /** State directory, made when missing; holds the queue and what is known of the peers. One process at a time. */
  dir: string;
  /** The receivers, 1 to 16, each with a name of its own that `status()` and errors use. */
  peers: PeerAddress[];
  /**
   * `auto` (default) compresses what gains from it, in one stream of zstd at level 3 where both ends have the native engine
   * and with LZ4 elsewhere, as far as `prefer` does not choose; `zstd` or `zstd:1` to `zstd:19` says so, and the level;
   * `lz4` always tries, `none` never.
   */
  compress?: Compression;
  /**
   * `latency` (default) has records arrive soon: they wait for nothing that only makes them smaller, and with `compress`
   * `auto` codec and level follow the link, from `none` on a fast one up to zstd at level 9 where it is slow and the
   * processor idle. `bytes` sends as little as possible: zstd at level 3, from the first record on against what the peer
   * has.
   */
  prefer?: Prefer;
  /**
   * `normal` (default) takes its part of the line. `background` takes only what other traffic leaves: it keeps the queue of
   * the line shorter than others do, and gives way when that grows. Peers may have their own.
   */
  priority?: Priority;
  /** Disk that the queue may take for what peers still need, in bytes, 16 MiB to 1 PiB (default 8 GiB). */
  queueBytesMax?: number;
  /** Bytes of the state directory's file system that stay free for others; the queue counts as full before (default 0: off). */
  diskReserveBytes?: number;
  /** Memory for records that are not durable yet, in bytes, 1 MiB to 1 GiB (default 64 MiB). */
  pendingBytesMax?: number;
  /** Delivered records kept for peers that come back with an older state, in bytes (default 1 GiB). */
  historyBytes?: number;
  /** Size of a queue segment in bytes (default 64 MiB). */
  segmentBytes?: number;
  /**
   * Memory of the reduction of all senders and receivers of this process together, in bytes, 8 MiB to 1 TiB (default
   * 512 MiB): windows, prefixes and tables of zstd, and indexes of history. Of several that are open the smallest counts.
   * When it is short, windows are smaller, down to 1 MiB, then sessions use LZ4; an index forgets its oldest part.
   */
  reductionBytesMax?: number;
  /** Take over whatever a receiver has, instead of refusing one that served another volume or is ahead (default false). */
  adopt?: boolean;
  /** Supplies the whole state as records when a peer needs a full resynchronisation; a Volume brings its own. */
  resync?: (peer: string) => AsyncIterable<ResyncRecord> | Iterable<ResyncRecord>;
  /** Tell waiting callers after this many milliseconds without a session (default: they wait as long as it takes). */
  giveUpAfterMs?: number;
  /**
   * Connections of each path to a peer: a number, 1 to 32, or from how many on up to how many they may become while that
   * brings more across (default `{ min: 4, max: 16 }`).
   */
  connections?: number | { min: number; max: number };
  /**
   * How the system finds out how fast it may send: `auto` (default) is bbr where it may be had, else cubic; `system` leaves
   * it alone; a name is that one, or the error CONGESTION_CONTROL_REFUSED. Needs the native engine and Linux.
   */
  congestionControl?: CongestionControl;
  /** Bytes that may be under way to a peer and not confirmed, 1 MiB to 1 GiB (default 64 MiB). */
  windowBytesMax?: number;
  /** Silence after which a peer counts as gone, in milliseconds, 500 to 600,000 (default 15,000). */
  peerTimeoutMs?: number;
  /** Interval of heartbeats in milliseconds, 50 to 60,000 (default 2,000). */
  heartbeatMs?: number;
}

export interface JournalLimits {
  queueBytesMax: number;
  pendingBytesMax: number;
  historyBytes: number;
  segmentBytes: number;
  diskReserveBytes: number;
}

export function journalLimits(options: Partial<JournalLimits>): JournalLimits {
  return {
    queueBytesMax: integerOption('queueBytesMax', options.queueBytesMax, QUEUE_BYTES),
    pendingBytesMax: integerOption('pendingBytesMax', options.pendingBytesMax, PENDING_BYTES),
    historyBytes: integerOption('historyBytes', options.historyBytes, HISTORY_BYTES),
    segmentBytes: integerOption('segmentBytes', options.segmentBytes, SEGMENT_BYTES),
    diskReserveBytes: integerOption('diskReserveBytes', options.diskReserveBytes, DISK_RESERVE_BYTES),
  };
}

export interface HeartbeatTimes {
  peerTimeoutMs: number;
  heartbeatMs: number;
}

/** One heartbeat may be lost or late without the peer being taken for gone. */
export function heartbeatTimes(options: Partial<HeartbeatTimes>): HeartbeatTimes {
  const peerTimeoutMs = integerOption('peerTimeoutMs', options.peerTimeoutMs, PEER_TIMEOUT_MS);
  const heartbeatMs = integerOption('heartbeatMs', options.heartbeatMs, HEARTBEAT_MS);
  if (2 * heartbeatMs > peerTimeoutMs) {
    throw new InvalidArgumentError('heartbeatMs', heartbeatMs, `at most half of peerTimeoutMs (${peerTimeoutMs})`);
  }
  return { peerTimeoutMs, heartbeatMs };
}

export interface ResolvedSenderOptions {
  rates: Pick<RatesOptions, 'sender' | 'peers' | 'cost'>;
  journal: JournalLimits;
  link: Pick<
    LinkContext,
    | 'compression'
    | 'prefer'
    | 'priority'
    | 'adopt'
    | 'giveUpAfterMs'
    | 'peerTimeoutMs'
    | 'heartbeatMs'
    | 'connections'
    | 'windowBytesMax'
    | 'congestionControl'
  >;
}

const PIB = 1024 * 1024 * GIB;
export const QUEUE_BYTES = { min: 16 * MIB, max: PIB, default: 8 * GIB };
export const HISTORY_BYTES = { min: 0, max: PIB, default: GIB };
export const DISK_RESERVE_BYTES = { min: 0, max: PIB, default: 0 };
export const PENDING_BYTES = { min: MIB, max: GIB, default: 64 * MIB };
export const SEGMENT_BYTES = { min: 64 * 1024, max: GIB, default: 64 * MIB };
export const PEER_TIMEOUT_MS = { min: 500, max: 600_000, default: 15_000 };
export const HEARTBEAT_MS = { min: 50, max: 60_000, default: 2000 };
const PEERS_MAX = 16;
const CONNECTIONS = { min: 4, max: 16 };
const CONNECTIONS_MAX = 32;

export function resolveSenderOptions(options: SenderOptions): ResolvedSenderOptions {
  checkPeers(options.peers);
  checkSecurity(options);
  const { giveUpAfterMs } = options;
  integerOption('reductionBytesMax', options.reductionBytesMax, REDUCTION_BYTES);
  return {
    rates: resolveRates(options),
    journal: journalLimits(options),
    link: {
      compression: parseCompression('compress', options.compress),
      prefer: choiceOption('prefer', options.prefer, ['bytes', 'latency'], 'latency'),
      priority: priorityOption('priority', options.priority),
      adopt: options.adopt ?? false,
      giveUpAfterMs:
        giveUpAfterMs === undefined
          ? undefined
          : integerOption('giveUpAfterMs', giveUpAfterMs, { min: 0, max: 2 ** 31 - 1, default: 0 }),
      ...heartbeatTimes(options),
      connections: connectionsOption(options.connections),
      congestionControl: congestionControlOption('congestionControl', options.congestionControl),
      windowBytesMax: integerOption('windowBytesMax', options.windowBytesMax, WINDOW_BYTES_MAX),
    },
  };
}

export function priorityOption(name: string, priority: unknown): Priority {
  return choiceOption(name, priority, ['normal', 'background'], 'normal');
}

function connectionsOption(given: SenderOptions['connections'] = CONNECTIONS): { min: number; max: number } {
  const bounds = { min: 1, max: CONNECTIONS_MAX, default: 1 };
  const { min, max } = typeof given === 'object' && given !== null ? given : { min: given, max: given };
  integerOption('connections.max', max, bounds);
  integerOption('connections.min', min, { ...bounds, max });
  return { min, max };
}

/** Whoever may answer has to be named for each peer; without an identity there is nothing to name. */
function checkSecurity({ peers, identity, tls, allow }: SenderOptions): void {
  const isPlain = identity === undefined && tls === undefined;
  for (const { host, paths = [], allow: own } of peers) {
    if (isPlain) for (const path of [{ host }, ...paths]) requireLoopback(path.host);
    allowedIds('peers[].allow', own);
    if (identity === undefined && own !== undefined)
      throw new InvalidArgumentError('peers[].allow', own, 'an identity with it');
    if (identity !== undefined) requireAllowed('allow', allow ?? own);
  }
}

export function requireAllowed(name: string, allow: unknown): void {
  if (allow === undefined) throw new InvalidArgumentError(name, allow, 'the ids of the nodes at the other end');
}

function resolveRates(options: SenderOptions): ResolvedSenderOptions['rates'] {
  return {
    sender: resolveRate('', options),
    peers: new Map(options.peers.map((peer) => [peer.name, resolveRate('peers[].', peer)])),
    cost: resolveLinkCost(options),
  };
}

function checkPeers(peers: unknown): void {
  if (!Array.isArray(peers) || peers.length < 1 || peers.length > PEERS_MAX) {
    throw new InvalidArgumentError('peers', peers, `an array of 1 to ${PEERS_MAX} objects { name, host, port }`);
  }
  const names = new Set<string>();
  for (const peer of peers as PeerAddress[]) {
    if (typeof peer?.name !== 'string' || peer.name === '' || names.has(peer.name)) {
      throw new InvalidArgumentError('peers[].name', peer?.name, 'a name of its own for each peer');
    }
    names.add(peer.name);
    if (typeof peer.host !== 'string' || peer.host === '')
      throw new InvalidArgumentError('peers[].host', peer.host, 'a host');
    integerOption('peers[].port', peer.port, { min: 1, max: 65_535, default: 0 });
    priorityOption('peers[].priority', peer.priority);
    choiceOption('peers[].onFull', peer.onFull, ['block', 'error', 'detach'], 'block');
    if (peer.port === undefined) throw new InvalidArgumentError('peers[].port', peer.port, 'a port');
    checkPaths(peer);
  }
}

function checkPaths({ localAddress, paths = [] }: PeerAddress): void {
  if (!Array.isArray(paths) || paths.length >= PATHS_MAX) {
    throw new InvalidArgumentError(
      'peers[].paths',
      paths,
      `an array of at most ${PATHS_MAX - 1} objects { host, port }`,
    );
  }
  for (const path of [{ localAddress }, ...paths]) {
    if (path.localAddress !== undefined && isIP(path.localAddress) === 0) {
      throw new InvalidArgumentError('localAddress', path.localAddress, 'an IP address of this machine');
    }
  }
  for (const { host, port, spare } of paths) {
    if (typeof host !== 'string' || host === '') throw new InvalidArgumentError('peers[].paths[].host', host, 'a host');
    if (port === undefined) throw new InvalidArgumentError('peers[].paths[].port', port, 'a port');
    integerOption('peers[].paths[].port', port, { min: 1, max: 65_535, default: 0 });
    if (spare !== undefined && typeof spare !== 'boolean') {
      throw new InvalidArgumentError('peers[].paths[].spare', spare, 'true or false');
    }
  }
}
