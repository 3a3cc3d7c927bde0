/**
 * Every error that Longhaul raises. One class per cause, each with a stable `code` to branch on, fields that say what
 * was given and what was expected, and `recoverable`: true when the same call may succeed later without anyone
 * changing the program.
 */

export interface ErrorDetails {
  cause?: unknown;
  recoverable?: boolean;
}

export abstract class LonghaulError extends Error {
  abstract readonly code: string;
  readonly recoverable: boolean;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.recoverable = details.recoverable ?? false;
  }

  /** The error as one plain object, for `--json` and for logs: code, message and the class's own fields. */
  toJSON(): Record<string, unknown> {
    const { name: _name, ...fields } = this as unknown as Record<string, unknown>;
    return { code: this.code, message: this.message, ...fields, cause: describeCause(this.cause) };
  }
}

function describeCause(cause: unknown): string | undefined {
  if (cause === undefined) return undefined;
  return cause instanceof Error ? cause.message : String(cause);
}

// ---- callers -------------------------------------------------------------------------------------------------------

export class InvalidArgumentError extends LonghaulError {
  readonly code = 'INVALID_ARGUMENT';
  constructor(
    readonly argument: string,
    readonly given: unknown,
    readonly expected: string,
  ) {
    super(`${argument} is ${describe(given)}; expected ${expected}`);
  }
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (value instanceof Uint8Array) return `${value.byteLength} bytes`;
  if (typeof value === 'object' && value !== null) return `an object (${value.constructor?.name ?? 'no prototype'})`;
  return String(value);
}

export class PayloadTooLargeError extends LonghaulError {
  readonly code = 'PAYLOAD_TOO_LARGE';
  constructor(
    readonly payloadBytes: number,
    readonly payloadBytesMax: number,
  ) {
    super(
      `payload of ${payloadBytes} bytes exceeds payloadBytesMax (${payloadBytesMax}); split it into several records`,
    );
  }
}

export class ClosedError extends LonghaulError {
  readonly code = 'CLOSED';
  constructor(readonly what: string) {
    super(`${what} is closed`);
  }
}

/** The caller's AbortSignal fired. With `sequence`, the record had its number already and stays in the journal. */
export class AbortedError extends LonghaulError {
  readonly code = 'ABORTED';
  constructor(
    readonly operation: string,
    readonly sequence?: number,
    cause?: unknown,
  ) {
    super(
      sequence === undefined
        ? `${operation} aborted before anything was written`
        : `${operation} aborted; record ${sequence} stays in the journal`,
      { cause, recoverable: true },
    );
  }
}

/** LONGHAUL_ENGINE asks for the native engine, and no addon loads. */
export class NativeEngineMissingError extends LonghaulError {
  readonly code = 'NATIVE_ENGINE_MISSING';
  constructor(
    readonly reason: string,
    cause?: unknown,
  ) {
    super(
      `LONGHAUL_ENGINE asks for the native engine, which does not load: ${reason}; build it in a checkout with ` +
        '`npm run build`, install without leaving out optional dependencies, or leave LONGHAUL_ENGINE unset',
      { cause },
    );
  }
}

/** A worker thread died or could not do its work. What it was given is unchanged, and another one takes its place. */
export class WorkerFailedError extends LonghaulError {
  readonly code = 'WORKER_FAILED';
  constructor(
    readonly work: string,
    readonly found: string,
    cause?: unknown,
  ) {
    super(`a worker thread failed at ${work}: ${found}`, { cause, recoverable: true });
  }
}

// ---- compression ---------------------------------------------------------------------------------------------------

/** The engine in use does not have the codec. */
export class CodecMissingError extends LonghaulError {
  readonly code = 'CODEC_MISSING';
  constructor(
    readonly codec: string,
    readonly engine: string,
    readonly reason?: string,
  ) {
    super(
      `codec ${codec} needs the native engine, and the ${engine} one is in use` +
        `${reason === undefined ? '' : ` (${reason})`}; choose another codec`,
    );
  }
}

/** The codec could not go on, for lack of memory as a rule. */
export class CompressionFailedError extends LonghaulError {
  readonly code = 'COMPRESSION_FAILED';
  constructor(
    readonly what: string,
    readonly found: string,
  ) {
    super(`${what} failed: ${found}`, { recoverable: true });
  }
}

/** Compressed input that no encoder made, or that was made with another prefix. */
export class CompressedDataError extends LonghaulError {
  readonly code = 'COMPRESSED_DATA_DAMAGED';
  constructor(readonly found: string) {
    super(`compressed data is damaged: ${found}`);
  }
}

/** A compressed frame needs a larger window to be decoded than both ends agreed on. */
export class WindowTooLargeError extends LonghaulError {
  readonly code = 'WINDOW_TOO_LARGE';
  constructor(readonly windowLogMax: number) {
    super(`a compressed frame needs a larger window than was agreed; expected at most 2^${windowLogMax} bytes`);
  }
}

/** Compressed input that decodes to more than the call allowed. */
export class OutputTooLargeError extends LonghaulError {
  readonly code = 'OUTPUT_TOO_LARGE';
  constructor(readonly outputBytesMax: number) {
    super(`compressed data decodes to more than outputBytesMax (${outputBytesMax})`);
  }
}

// ---- storage -------------------------------------------------------------------------------------------------------

export class DiskFullError extends LonghaulError {
  readonly code = 'DISK_FULL';
  constructor(
    readonly operation: string,
    readonly path: string,
    cause?: unknown,
  ) {
    super(
      `no space left on the disk of ${path} (${operation}); free space, then start again: nothing acknowledged is lost`,
      {
        cause,
        recoverable: true,
      },
    );
  }
}

export class StorageError extends LonghaulError {
  readonly code = 'STORAGE_FAILED';
  constructor(
    readonly operation: string,
    readonly path: string,
    cause: unknown,
  ) {
    super(`${operation} failed on ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

export class StateLockedError extends LonghaulError {
  readonly code = 'STATE_LOCKED';
  constructor(
    readonly path: string,
    readonly pid: number,
    /** The file that says so, when its process is one of another container and nothing tells whether that still runs. */
    readonly lockFile?: string,
  ) {
    const certain = `${path} is in use by process ${pid}; stop that process or give another state directory`;
    const uncertain = `${path} was locked by process ${pid} of another container, which may still run; stop it, or remove ${lockFile} when it is surely gone`;
    super(lockFile === undefined ? certain : uncertain, { recoverable: true });
  }
}

/** A file that cannot be used as it is, and what to do about it. */
abstract class UnusableFileError extends LonghaulError {
  constructor(
    readonly path: string,
    readonly found: string,
    readonly remedy: string,
    cause?: unknown,
  ) {
    super(`${path}: ${found}; ${remedy}`, { cause });
  }
}

/** A file of the state directory that is not what Longhaul wrote. */
export class StateDamagedError extends UnusableFileError {
  readonly code = 'STATE_DAMAGED';
}

export class FormatVersionError extends LonghaulError {
  readonly code = 'FORMAT_VERSION';
  constructor(
    readonly path: string,
    readonly found: number,
    readonly supported: number,
  ) {
    super(
      `${path} has format version ${found}; this release reads version ${supported}: use the release that wrote it`,
    );
  }
}

// ---- journal -------------------------------------------------------------------------------------------------------

/** A write or sync failed: the journal takes nothing more until it is opened anew. */
export class JournalBrokenError extends LonghaulError {
  readonly code = 'JOURNAL_BROKEN';
  constructor(
    readonly path: string,
    cause: unknown,
  ) {
    super(
      `journal ${path} is broken by an earlier failure (${cause instanceof Error ? cause.message : String(cause)}); open it again`,
      {
        cause,
      },
    );
  }
}

export class JournalDamagedError extends LonghaulError {
  readonly code = 'JOURNAL_DAMAGED';
  constructor(
    readonly segment: string,
    readonly offset: number,
    readonly fromSequence: number,
    readonly toSequence: number,
    readonly found: string,
  ) {
    super(
      `${segment} is damaged at byte ${offset} (${found}); records ${fromSequence} to ${toSequence} were durable and cannot be read: ` +
        'repair the journal with these records of a peer, restore the segment from a copy, or take a full copy from the peer',
    );
  }
}

/** A repair would have put something in place that nothing sound proves; nothing was changed. */
export class RepairRefusedError extends LonghaulError {
  readonly code = 'REPAIR_REFUSED';
  constructor(
    readonly segment: string,
    /** The records that are needed, or that could not be proved. */
    readonly fromSequence: number,
    readonly toSequence: number,
    readonly found: string,
    readonly expected: string,
    cause?: unknown,
  ) {
    super(
      `records ${fromSequence} to ${toSequence} of ${segment} were not repaired: ${found}; expected ${expected}. Nothing was changed`,
      { cause },
    );
  }
}

/** The journal was opened for reading only. */
export class ReadOnlyError extends LonghaulError {
  readonly code = 'READ_ONLY';
  constructor(
    readonly path: string,
    readonly operation: string,
  ) {
    super(`${operation} refused: journal ${path} is open for reading only; use Journal.open to write to it`);
  }
}

/** Nothing can be read where a journal should be, and whoever only reads does not make one. */
export class JournalMissingError extends LonghaulError {
  readonly code = 'JOURNAL_MISSING';
  constructor(
    readonly path: string,
    cause?: unknown,
  ) {
    super(`${path} holds no journal; correct the path, or start what writes it first`, { cause, recoverable: true });
  }
}

/** Whoever writes to the journal changed it at each try to look at it. */
export class JournalBusyError extends LonghaulError {
  readonly code = 'JOURNAL_BUSY';
  constructor(
    readonly path: string,
    readonly found: string,
    cause?: unknown,
  ) {
    super(`journal ${path} cannot be looked at just now (${found}); try again`, { cause, recoverable: true });
  }
}

export class QueueFullError extends LonghaulError {
  readonly code = 'QUEUE_FULL';
  constructor(
    readonly queueBytes: number,
    readonly queueBytesMax: number,
  ) {
    super(`the queue holds ${queueBytes} bytes that peers still need, its limit queueBytesMax is ${queueBytesMax}`, {
      recoverable: true,
    });
  }
}

/** The file system has less left than `diskReserveBytes` keeps for others. */
export class DiskReserveError extends LonghaulError {
  readonly code = 'DISK_RESERVE';
  constructor(
    readonly path: string,
    readonly freeBytes: number,
    readonly diskReserveBytes: number,
  ) {
    super(
      `the disk of ${path} has ${freeBytes} bytes left, and the next segment would take of the ${diskReserveBytes} ` +
        'that diskReserveBytes keeps for others; free space, or lower it',
      { recoverable: true },
    );
  }
}

/** A record of another journal that does not continue this one: the two hold different records before it. */
export class ChainMismatchError extends LonghaulError {
  readonly code = 'CHAIN_MISMATCH';
  constructor(
    readonly sequence: number,
    readonly expected: bigint,
    readonly given: bigint,
  ) {
    super(
      `record ${sequence} continues other records than the journal holds (chain ${hex(given)}, here it would be ` +
        `${hex(expected)}); take a full copy from the peer`,
    );
  }
}

function hex(chain: bigint): string {
  return chain.toString(16).padStart(16, '0');
}

/** The journal was full and went on without this cursor. */
export class CursorDetachedError extends LonghaulError {
  readonly code = 'CURSOR_DETACHED';
  constructor(
    readonly cursor: string,
    readonly position: number,
  ) {
    super(
      `cursor ${cursor} was detached at record ${position} because the queue was full; ` +
        'bring its owner up to date by other means, then reattach it',
      { recoverable: true },
    );
  }
}

export class SequenceGoneError extends LonghaulError {
  readonly code = 'SEQUENCE_GONE';
  constructor(
    readonly sequence: number,
    readonly first: number,
    readonly last: number,
  ) {
    super(`record ${sequence} is not in the journal, which holds ${first} to ${last}`);
  }
}

export class SequenceGapError extends LonghaulError {
  readonly code = 'SEQUENCE_GAP';
  constructor(
    readonly expected: number,
    readonly given: number,
  ) {
    super(`record ${given} does not follow; expected ${expected}`);
  }
}

// ---- channel -------------------------------------------------------------------------------------------------------

export class PeerUnreachableError extends LonghaulError {
  readonly code = 'PEER_UNREACHABLE';
  constructor(
    readonly host: string,
    readonly port: number,
    readonly waitedMs: number,
    cause: unknown,
  ) {
    super(
      `no receiver at ${host}:${port} within ${(waitedMs / 1000).toFixed(1)} s (${cause instanceof Error ? cause.message : String(cause)}); ` +
        'start it, check the address, or raise the connect timeout',
      { cause, recoverable: true },
    );
  }
}

export class ConnectionLostError extends LonghaulError {
  readonly code = 'CONNECTION_LOST';
  constructor(
    readonly peer: string,
    readonly found: string,
    cause?: unknown,
  ) {
    super(`connection with ${peer} lost: ${found}`, { cause, recoverable: true });
  }
}

export class AddressInUseError extends LonghaulError {
  readonly code = 'ADDRESS_IN_USE';
  constructor(
    readonly host: string,
    readonly port: number,
    cause: unknown,
  ) {
    super(`cannot listen on ${host}:${port}: the address is in use`, { cause, recoverable: true });
  }
}

// ---- identity ------------------------------------------------------------------------------------------------------

/** Anything but loopback needs an identity on both ends, or TLS options of the embedder. */
export class IdentityRequiredError extends LonghaulError {
  readonly code = 'IDENTITY_REQUIRED';
  constructor(readonly host: string) {
    super(
      `${host} is not a loopback address, and without an identity only loopback is used; make one on each machine ` +
        "with `longhaul keygen --out DIR`, and start both ends with --identity DIR --allow ID, the other's id",
    );
  }
}

/** A key or certificate that is missing, not what Longhaul wrote, or open to others. */
export class IdentityInvalidError extends UnusableFileError {
  readonly code = 'IDENTITY_INVALID';
}

/** A key is there already, and making another one would give the node a new id. */
export class IdentityExistsError extends LonghaulError {
  readonly code = 'IDENTITY_EXISTS';
  constructor(readonly path: string) {
    super(
      `${path} is there already and stays as it is: a new key would be a new node; use --renew for a new certificate ` +
        'of the same id, or another directory',
    );
  }
}

/** A certificate outside of its time, by this machine's clock; `own` says that it is the one of this node. */
export class IdentityExpiredError extends LonghaulError {
  readonly code = 'IDENTITY_EXPIRED';
  constructor(
    readonly id: string,
    readonly validFrom: string,
    readonly validTo: string,
    readonly own: boolean,
  ) {
    super(
      `the certificate of ${own ? 'this node' : 'the peer'} (${id}) is valid from ${validFrom} to ${validTo}, which is ` +
        `not now; ${own ? 'run' : 'there, run'} \`longhaul keygen --out DIR --renew\` and start again, or set the clock right`,
    );
  }
}

/** Whoever answered, or asked, is not a node that this one allows. */
export class IdentityRefusedError extends LonghaulError {
  readonly code = 'IDENTITY_REFUSED';
  constructor(
    readonly peer: string,
    /** The id that it has proved; undefined when it showed no usable certificate. */
    readonly presented: string | undefined,
    readonly own: string | undefined,
    readonly found: string,
    cause?: unknown,
  ) {
    super(
      `${peer} is refused by this node${own === undefined ? '' : ` (${own})`}: ${found}` +
        (presented === undefined ? '' : '; name it in --allow if it is meant'),
      { cause },
    );
  }
}

/** The receiver has proved its id and then hung up on ours without a word, which is what it does to a stranger. */
export class IdentityNotAllowedError extends LonghaulError {
  readonly code = 'IDENTITY_NOT_ALLOWED';
  constructor(
    readonly peer: string,
    readonly own: string | undefined,
    cause?: unknown,
  ) {
    super(
      own === undefined
        ? `${peer} ended the connection once it had seen this end's certificate, so it most likely does not trust that`
        : `${peer} ended the connection once it had seen this node's certificate: most likely it does not allow ${own}, or ` +
            `takes the certificate for expired; start it with --allow ${own}, and compare the clocks`,
      { cause },
    );
  }
}

/** A peer that proved one id in its certificate and claims another in its greeting. */
export class IdentityMismatchError extends LonghaulError {
  readonly code = 'IDENTITY_MISMATCH';
  constructor(
    readonly peer: string,
    readonly proved: string,
    readonly claimed: string,
  ) {
    super(`${peer} proved the id ${proved} and greets as ${claimed}; expected both to be the same`);
  }
}

/** Plain bytes came to a port that speaks TLS. */
export class TlsRequiredError extends LonghaulError {
  readonly code = 'TLS_REQUIRED';
  constructor(
    readonly peer: string,
    cause?: unknown,
  ) {
    super(`${peer} does not speak TLS, which this port expects; start that end with an --identity of its own`, {
      cause,
    });
  }
}

/** No TLS session came about: another version, an alert, or bytes that are no TLS. */
export class TlsFailedError extends LonghaulError {
  readonly code = 'TLS_FAILED';
  constructor(
    readonly peer: string,
    readonly found: string,
    cause?: unknown,
  ) {
    super(`no TLS 1.3 session with ${peer}: ${found}; does the other end have an --identity, and is it Longhaul?`, {
      cause,
    });
  }
}

// ---- protocol ------------------------------------------------------------------------------------------------------

export class ProtocolVersionError extends LonghaulError {
  readonly code = 'PROTOCOL_VERSION';
  constructor(
    readonly ours: string,
    readonly theirs: string,
  ) {
    super(`the peer speaks protocol ${theirs}, this release speaks ${ours}; update the older end`);
  }
}

/** The peer sent what the protocol does not allow. The connection is closed; everything else goes on. */
export class ProtocolError extends LonghaulError {
  readonly code = 'PROTOCOL_VIOLATION';
  constructor(
    readonly found: string,
    readonly expected: string,
    cause?: unknown,
  ) {
    super(`protocol violation: ${found}; expected ${expected}`, { cause });
  }
}

/** The peer ended the session and said why. */
export class PeerRefusedError extends LonghaulError {
  readonly code = 'PEER_REFUSED';
  constructor(
    readonly peer: string,
    readonly peerCode: string,
    readonly peerMessage: string,
    recoverable = false,
  ) {
    super(`${peer} refused (${peerCode}): ${peerMessage}`, { recoverable });
  }
}

/** A further connection asked for a session that is over, or that has as many connections as it may. */
export class SessionUnknownError extends LonghaulError {
  readonly code = 'SESSION_UNKNOWN';
  constructor(readonly peer: string) {
    super(
      `${peer} asked for a session that does not run here, or takes no further connection; it tries again by itself`,
      {
        recoverable: true,
      },
    );
  }
}

/** The system does not give its sockets the congestion control that was asked for by name. */
export class CongestionControlError extends LonghaulError {
  readonly code = 'CONGESTION_CONTROL_REFUSED';
  constructor(
    readonly wanted: string,
    /** What sockets have instead; undefined where nothing can be chosen at all. */
    readonly inForce: string | undefined,
  ) {
    super(
      inForce === undefined
        ? `congestion control ${wanted} cannot be set: that takes the native engine and Linux; choose auto or system`
        : `congestion control ${wanted} is not there or not allowed (the system uses ${inForce}); load its module and ` +
            'add it to net.ipv4.tcp_allowed_congestion_control, or choose auto or system',
      { recoverable: inForce !== undefined },
    );
  }
}

/** The system refused an option of a socket. */
export class SocketOptionError extends LonghaulError {
  readonly code = 'SOCKET_OPTION_FAILED';
  constructor(
    readonly option: string,
    cause: unknown,
  ) {
    super(
      `${option} failed: ${cause instanceof Error ? cause.message : String(cause)}; expected a TCP socket that is open`,
      { cause },
    );
  }
}

// ---- replication ---------------------------------------------------------------------------------------------------

export class VolumeMismatchError extends LonghaulError {
  readonly code = 'VOLUME_MISMATCH';
  constructor(
    readonly ours: string,
    readonly theirs: string,
  ) {
    super(
      `the receiver's replica belongs to volume ${theirs}, this sender serves volume ${ours}; use the state directory that made ` +
        'the replica, another replica directory, or --adopt to take that replica over',
    );
  }
}

/** The receiver holds records that this sender never made: this end is the older one and must not overwrite. */
export class PeerNewerError extends LonghaulError {
  readonly code = 'PEER_NEWER';
  constructor(
    readonly peer: string,
    readonly peerSequence: number,
    readonly ourSequence: number,
  ) {
    super(
      `${peer} has records up to ${peerSequence}, this sender only up to ${ourSequence}: this state directory is an older copy. ` +
        'Use the newer one, or --adopt to start anew from the replica as it is',
    );
  }
}

/** The peer follows a later epoch: another node was promoted in the place of this one. */
export class EpochStaleError extends LonghaulError {
  readonly code = 'EPOCH_STALE';
  constructor(
    readonly peer: string,
    readonly peerEpoch: number,
    readonly ourEpoch: number,
  ) {
    super(
      `${peer} follows epoch ${peerEpoch}, this sender only ${ourEpoch}: another node was promoted meanwhile. ` +
        'Let this one follow that node; what it has and the other has not is lost with a full copy from there',
    );
  }
}

export class PeerRegressedError extends LonghaulError {
  readonly code = 'PEER_REGRESSED';
  constructor(
    readonly peer: string,
    readonly peerSequence: number,
    readonly acknowledgedSequence: number,
  ) {
    super(
      `${peer} has records up to ${peerSequence} but acknowledged ${acknowledgedSequence} before, and the queue no longer holds what ` +
        'lies between: it needs a full resynchronisation',
    );
  }
}

/** A peer needs records that are gone, and the sender was opened without a `resync` option to supply its state. */
export class ResyncRequiredError extends LonghaulError {
  readonly code = 'RESYNC_REQUIRED';
  constructor(
    readonly peer: string,
    readonly reason: string,
    cause?: unknown,
  ) {
    super(
      `${peer} needs a full resynchronisation (${reason}); give the Sender a resync option that supplies the records`,
      {
        cause,
        recoverable: true,
      },
    );
  }
}

export class ApplyFailedError extends LonghaulError {
  readonly code = 'APPLY_FAILED';
  constructor(
    readonly sequence: number,
    cause: unknown,
  ) {
    super(
      `applying record ${sequence} failed: ${cause instanceof Error ? cause.message : String(cause)}; it is tried again`,
      {
        cause,
        recoverable: true,
      },
    );
  }
}

// ---- volume --------------------------------------------------------------------------------------------------------

export class RootMissingError extends LonghaulError {
  readonly code = 'ROOT_MISSING';
  constructor(
    readonly path: string,
    cause?: unknown,
  ) {
    super(`${path} is not a directory that can be read; mount or create it, or correct the path`, {
      cause,
      recoverable: true,
    });
  }
}

export class RootChangedError extends LonghaulError {
  readonly code = 'ROOT_CHANGED';
  constructor(
    readonly path: string,
    readonly found: string,
    readonly expected: string,
  ) {
    super(
      `${path} is another directory (${found}) than the one this state belongs to (${expected}); mount the right one, ` +
        'or pass --adopt if the change is meant',
    );
  }
}

export class RootEmptyError extends LonghaulError {
  readonly code = 'ROOT_EMPTY';
  constructor(
    readonly path: string,
    readonly replicaEntries: number,
  ) {
    super(
      `${path} is empty while its replica holds ${replicaEntries} entries: is it mounted? ` +
        'Pass --allow-mass-delete if the replica should be emptied too',
    );
  }
}

export class MassDeleteError extends LonghaulError {
  readonly code = 'MASS_DELETE';
  constructor(
    readonly deletions: number,
    readonly replicaFiles: number,
  ) {
    super(
      `this run would delete ${deletions} of the replica's ${replicaFiles} files, more than half; ` +
        'pass --allow-mass-delete if that is meant',
    );
  }
}

export class ReplicaNotEmptyError extends LonghaulError {
  readonly code = 'REPLICA_NOT_EMPTY';
  constructor(readonly path: string) {
    super(
      `${path} is not empty and does not belong to this state directory; give an empty directory, ` +
        'or pass --adopt to take what is there as the start of the replica (what the source lacks will be removed)',
    );
  }
}

export class NestedDirectoriesError extends LonghaulError {
  readonly code = 'NESTED_DIRECTORIES';
  constructor(
    readonly inner: string,
    readonly outer: string,
  ) {
    super(`${inner} lies inside ${outer}; a state directory must lie outside the directory it describes`);
  }
}

/** A path that would leave the replica's root, or that no directory entry can have. */
export class UnsafePathError extends LonghaulError {
  readonly code = 'UNSAFE_PATH';
  constructor(
    readonly path: string,
    readonly found: string,
  ) {
    super(`path ${JSON.stringify(path)} refused: ${found}`);
  }
}

export class SourceUnreadableError extends LonghaulError {
  readonly code = 'SOURCE_UNREADABLE';
  constructor(
    readonly paths: string[],
    readonly count: number,
  ) {
    super(
      `${count} entries of the source cannot be read (${paths.join(', ')}${count > paths.length ? ', …' : ''}); the replica keeps its last copy of them`,
    );
  }
}

export class VerifyFailedError extends LonghaulError {
  readonly code = 'VERIFY_FAILED';
  constructor(
    readonly differences: number,
    readonly examples: string[],
  ) {
    super(
      `source and replica differ in ${differences} entries after the run` +
        (examples.length > 0 ? ` (${examples.join(', ')})` : '') +
        '; is something else writing to the replica?',
      { recoverable: true },
    );
  }
}
