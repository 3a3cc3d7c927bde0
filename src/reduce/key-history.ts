import { checksum64 } from '../engine/checksum.js';

/** Where a journal holds what each key held last. */

/** Records in a row that brought the content of a key. */
export interface KeyRun {
  from: number;
  to: number;
  /** Of their payloads. */
  bytes: number;
}

interface KeyedRecord {
  sequence: number;
  key?: Uint8Array;
  offset?: number;
  payload: Uint8Array;
}

interface Held {
  now: KeyRun;
  before: KeyRun | undefined;
}

/** Of each of two generations; when the younger is full it becomes the older, and what only that had is forgotten. */
const KEYS_MAX = 128 * 1024;
/** Smaller payloads say something about a key, and are not its content. */
const CONTENT_BYTES_MIN = 128;

/** What a key is called here. Keys that share one cost bytes, no more: a prefix of other content. */
export type KeyId = bigint;

export function keyIdOf(key: Uint8Array): KeyId {
  return checksum64(key);
}

export class KeyHistory {
  /** The newest record that was looked at. */
  through = 0;
  /** The newest record that brought content, and none was passed over since. */
  private newest = -1;
  private young = new Map<KeyId, Held>();
  private old = new Map<KeyId, Held>();

  /** Records come in order; what was looked at already is passed over. */
  note({ sequence, key, offset = 0, payload }: KeyedRecord): void {
    if (sequence <= this.through) return;
    if (sequence !== this.through + 1) this.newest = -1;
    this.through = sequence;
    if (payload.byteLength < CONTENT_BYTES_MIN) return;
    const before = this.newest;
    this.newest = sequence;
    if (key === undefined) return;
    const id = keyIdOf(key);
    const held = this.young.get(id) ?? this.old.get(id);
    // A content begins at its start, and goes on for as long as no other comes between.
    if (held !== undefined && offset > 0 && held.now.to === before) {
      held.now.to = sequence;
      held.now.bytes += payload.byteLength;
      return;
    }
    this.remember(id, { now: { from: sequence, to: sequence, bytes: payload.byteLength }, before: held?.now });
  }

  /**
   * The newest content of a key that is complete and of which all records lie between `floor` and `held`; `offset` tells
   * whether what comes for the key goes on with what it holds now.
   */
  find(id: KeyId, offset: number, floor: number, held: number): KeyRun | undefined {
    const found = this.young.get(id) ?? this.old.get(id);
    const complete = offset > 0 ? [found?.before] : [found?.now, found?.before];
    return complete.find((run) => run !== undefined && run.from >= floor && run.to <= held);
  }

  private remember(id: KeyId, held: Held): void {
    if (this.young.size >= KEYS_MAX) {
      this.old = this.young;
      this.young = new Map();
    }
    this.young.set(id, held);
  }
}
