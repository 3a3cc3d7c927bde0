export { parseAddress } from './channel/address.js';
export type { BackgroundStatus } from './channel/background-window.js';
export type { Path, PathStatus } from './channel/bundle.js';
export type { CongestionControl } from './channel/congestion-control.js';
export {
  type CreateIdentityOptions,
  createIdentity,
  type IdentityInfo,
  type IdentityPair,
  identityOf,
} from './channel/identity.js';
export type { Day, Schedule, ScheduleRule } from './channel/schedule.js';
export { parseScheduleRule } from './channel/schedule-text.js';
export type { SecurityOptions } from './channel/security.js';
export { type Codec, type Engine, engine } from './engine/engine.js';
export type { Events } from './engine/events.js';
export * from './errors.js';
export {
  type AppendOptions,
  type BatchOptions,
  type CursorOptions,
  type CursorStatus,
  INITIAL_CHAIN,
  Journal,
  type JournalCursor,
  type JournalDamage,
  type JournalFileSystem,
  type JournalOptions,
  type JournalRecord,
  type JournalStatus,
  type OnFull,
  type PayloadRange,
  type ReadOnlyJournal,
  type ReadOnlyOptions,
  type ReadOnlyStatus,
  type ReadOptions,
  type RecoveryReport,
  type RepairOptions,
  type RepairReport,
  type RepairSource,
  type ReplicatedRecord,
  type ScrubOptions,
  type ScrubProgress,
  type ScrubReport,
  type ScrubStatus,
  type SequenceRange,
  type StoredPosition,
} from './journal/journal.js';
export type { AckLevel, Compression, Prefer, Priority } from './options.js';
export { parseDuration, parseRate, parseSize } from './options.js';
export type { StageCount, StageCounts } from './reduce/stages.js';
export type { ApplyCallback } from './replication/consumer.js';
export type { LinkState } from './replication/link.js';
export type { PeerAddress } from './replication/peer-address.js';
export type { LinkOverheadOptions, RateOptions } from './replication/rate-options.js';
export { Receiver, type ReceiverOptions, type ReceiverStatus } from './replication/receiver.js';
export { Sender, type SenderAppendOptions } from './replication/sender.js';
export type { ResyncRecord, SenderOptions } from './replication/sender-options.js';
export type { SenderPeerStatus, SenderStatus } from './replication/sender-status.js';
export { Replica, type ReplicaOptions, type ReplicaVerifyResult } from './volume/replica.js';
export { type SyncResult, type VerifyResult, Volume, type VolumeOptions } from './volume/volume.js';
