import type { BackgroundStatus } from '../channel/background-window.js';
import type { PathStatus } from '../channel/bundle.js';
import { type Engine, engine } from '../engine/engine.js';
import type { Journal } from '../journal/journal.js';
import type { Priority } from '../options.js';
import { reductionBudget } from '../reduce/memory-budget.js';
import type { StageCounts } from '../reduce/stages.js';
import type { LinkState, PeerLink } from './link.js';
import { securityStage } from './traffic.js';

export interface SenderPeerStatus {
  name: string;
  /** Node id, known after the first handshake. */
  id?: string;
  state: LinkState;
  /** Highest sequence numbers that this peer holds at each level. */
  logged: number;
  applied: number;
  /** The queue was full and went on without this peer, as its `onFull` says; it needs a full resynchronisation. */
  detached: boolean;
  roundTripMs?: number;
  /** The ways to this peer, in the order in which they were given. */
  paths: PathStatus[];
  /** The most that goes out to it at present, in bytes per second; absent when nothing limits it. */
  rateBytesPerSecond?: number;
  priority: Priority;
  /** In the background, what goes out to it at present and the queue that decides it; absent until something was measured. */
  background?: BackgroundStatus;
  /** How records cross at present, or did at the end of the last session, and the level of zstd. */
  codec?: 'none' | 'lz4' | 'zstd';
  level?: number;
  /** Batches that it could not restore from its history, and asked for anew. */
  misses: number;
  /** Memory of the reduction for this peer, in bytes: window and prefix of the codec, and the index of its history. */
  reductionBytes: number;
  /** As in SenderStatus, for this peer alone. */
  stages: StageCounts;
  problem?: { code: string; message: string };
}

export interface SenderStatus {
  /** Highest sequence number that is durable here, and the lowest that all peers have logged and applied. */
  appended: number;
  logged: number;
  applied: number;
  /** Disk that holds records some peer still needs. */
  queueBytes: number;
  pendingBytes: number;
  /** Age of the oldest record that some peer has not logged: what would be lost if this node vanished now. */
  oldestUnacknowledgedMs: number;
  records: number;
  payloadBytesSent: number;
  wireBytesSent: number;
  wireBytesReceived: number;
  /** Averages since `open`, in bytes per second. */
  sourceBytesPerSecond: number;
  wireBytesPerSecond: number;
  /** The ceiling of all peers together at present, in bytes per second; absent when there is none. */
  rateBytesPerSecond?: number;
  stages: StageCounts;
  /** Memory of the reduction in bytes: of all peers, taken by all senders and receivers of the process, and their bound. */
  reductionBytes: number;
  reductionBytesTaken: number;
  reductionBytesMax: number;
  /** What does the byte-level work. */
  engine: Engine;
  peers: SenderPeerStatus[];
}

export function senderStatus(
  journal: Journal,
  links: readonly PeerLink[],
  rateBytesPerSecond: number,
  openMs: number,
): SenderStatus {
  const { queueBytes, pendingBytes, oldestUnreleasedTimestamp } = journal.status();
  const total = (of: (link: PeerLink) => number): number => links.reduce((sum, link) => sum + of(link), 0);
  const lowest = (of: (link: PeerLink) => number): number => Math.min(...links.map(of));
  const logged = lowest((link) => link.logged);
  const wireBytesSent = total((link) => link.traffic.bytesSent);
  const payloadBytesSent = total((link) => link.payloadBytesSent);
  const behind = logged < journal.last && oldestUnreleasedTimestamp !== undefined;
  return {
    appended: journal.last,
    logged,
    applied: lowest((link) => link.applied),
    queueBytes,
    pendingBytes,
    oldestUnacknowledgedMs: behind ? Math.max(0, Date.now() - oldestUnreleasedTimestamp / 1000) : 0,
    records: total((link) => link.recordsSent),
    payloadBytesSent,
    wireBytesSent,
    wireBytesReceived: total((link) => link.traffic.bytesReceived),
    sourceBytesPerSecond: perSecond(payloadBytesSent, openMs),
    wireBytesPerSecond: perSecond(wireBytesSent, openMs),
    ...limited(rateBytesPerSecond),
    stages: sumStages(links),
    reductionBytes: total((link) => link.reductionBytes),
    reductionBytesTaken: reductionBudget.bytes,
    reductionBytesMax: reductionBudget.bytesMax,
    engine,
    peers: links.map(peerStatus),
  };
}

function peerStatus(link: PeerLink): SenderPeerStatus {
  const { problem, roundTripMs, id, rung, misses, reductionBytes, rate, priority, yields } = link;
  return {
    name: link.address.name,
    state: link.state,
    logged: link.logged,
    applied: link.applied,
    detached: link.isDetached,
    priority,
    misses,
    reductionBytes,
    stages: stagesOf(link),
    paths: link.paths,
    ...(id === undefined ? {} : { id }),
    ...(rung === undefined ? {} : { codec: rung.codec }),
    ...(rung?.codec === 'zstd' ? { level: rung.level } : {}),
    ...(roundTripMs === undefined ? {} : { roundTripMs }),
    ...limited(rate.rateBytesPerSecond),
    ...(yields === undefined ? {} : { background: yields }),
    ...(problem === undefined ? {} : { problem: { code: problem.code, message: problem.message } }),
  };
}

function limited(rateBytesPerSecond: number): { rateBytesPerSecond?: number } {
  return Number.isFinite(rateBytesPerSecond) ? { rateBytesPerSecond } : {};
}

/** `frame`, `control` and, where there is TLS, `tls` are what went on the wire. */
function stagesOf(link: PeerLink): StageCounts {
  const own = link.stages.counts();
  const bodyBytes = own.compress?.bytesOut ?? 0;
  own.frame = { bytesIn: bodyBytes, bytesOut: link.traffic.dataBytes, milliseconds: 0 };
  own.control = { bytesIn: 0, bytesOut: link.traffic.controlBytes, milliseconds: 0 };
  return Object.assign(own, securityStage(link.traffic));
}

/** The stages of all peers together. */
function sumStages(links: readonly PeerLink[]): StageCounts {
  const sum: StageCounts = {};
  for (const link of links) {
    for (const [name, count] of Object.entries(stagesOf(link))) {
      const into = sum[name] ?? { bytesIn: 0, bytesOut: 0, milliseconds: 0 };
      sum[name] = into;
      into.bytesIn += count.bytesIn;
      into.bytesOut += count.bytesOut;
      into.milliseconds += count.milliseconds;
    }
  }
  return sum;
}

function perSecond(bytes: number, ms: number): number {
  return ms > 0 ? Math.round((bytes * 1000) / ms) : 0;
}
