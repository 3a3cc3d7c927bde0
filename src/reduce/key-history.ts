import { checksum64 } from '../engine/checksum.js';

/** Where a journal holds what each key held last. */

/** Records in a row that brought the content of a key. */
export interface KeyRun {
  from: number;
  to: number;
  /** Of their payloads. */
  bytes: number;
}

interface KeyedContent {
  sequence: number;
  key?: KeyId;
  offset?: number;
  /** Of the payload. */
  bytes: number;
}

interface Held {
  now: KeyRun;
  before: KeyRun | undefined;
}

/** Of each of two generations; when the younger is full it becomes the older, and what only that had is forgotten. */
const KEYS_MAX = 128 * 1024;
/** Smaller payloads say something about a key, and are not its content. */
export const CONTENT_BYTES_MIN = 128;
/** Of an entry of a Map, its key as a bigint and two runs. */
const KEY_BYTES = 200;
/** There is memory for so many from the start, and more is asked for in steps of as many. */
const KEYS_STEP = 1024;

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
  /** What there is memory for. */
  private room = KEYS_STEP;

  /** `mayGrow` is asked for memory, in bytes. */
  constructor(private readonly mayGrow: (bytes: number) => boolean = () => true) {}

  /** Records come in order; what was looked at already is passed over. */
  note({ sequence, key, offset = 0, bytes }: KeyedContent): void {
    if (sequence <= this.through) return;
    if (sequence !== this.through + 1) this.newest = -1;
    this.through = sequence;
    if (bytes < CONTENT_BYTES_MIN) return;
    const before = this.newest;
    this.newest = sequence;
    if (key === undefined) return;
    const held = this.young.get(key) ?? this.old.get(key);
    // A content begins at its start, and goes on for as long as no other comes between.
    if (held !== undefined && offset > 0 && held.now.to === before) {
      held.now.to = sequence;
      held.now.bytes += bytes;
      return;
    }
    this.remember(key, { now: { from: sequence, to: sequence, bytes }, before: held?.now });
  }

  /** Passes over records up to this one, none of which brought content of a key; some may have brought other content. */
  pass(through: number, content: boolean): void {
    if (through <= this.through) return;
    this.through = through;
    if (content) this.newest = through;
  }

  /**
   * The newest content of a key that is complete and usable; `offset` tells whether what comes for the key goes on with
   * what it holds now.
   */
  find(id: KeyId, offset: number, isUsable: (run: KeyRun) => boolean): KeyRun | undefined {
    const found = this.young.get(id) ?? this.old.get(id);
    const complete = offset > 0 ? [found?.before] : [found?.now, found?.before];
    return complete.find((run) => run !== undefined && isUsable(run));
  }

  /** Forgets the records from this one on. What a key held before is known again if it was complete. */
  dropFrom(sequence: number): void {
    this.through = Math.min(this.through, sequence - 1);
    this.newest = -1;
    for (const keys of [this.young, this.old]) {
      for (const [key, held] of keys) {
        if (held.now.to < sequence) continue;
        const { before } = held;
        if (before === undefined || before.to >= sequence) keys.delete(key);
        else keys.set(key, { now: before, before: undefined });
      }
    }
  }

  /** About what the entries take. */
  get memoryBytes(): number {
    return (this.young.size + this.old.size) * KEY_BYTES;
  }

  clear(): void {
    this.through = 0;
    this.newest = -1;
    this.young = new Map();
    this.old = new Map();
  }

  private hasRoom(): boolean {
    if (this.young.size + this.old.size < this.room) return true;
    if (!this.mayGrow(KEYS_STEP * KEY_BYTES)) return false;
    this.room += KEYS_STEP;
    return true;
  }

  private remember(id: KeyId, held: Held): void {
    if (this.young.size >= KEYS_MAX || !this.hasRoom()) {
      this.old = this.young;
      this.young = new Map();
      if (!this.hasRoom()) this.old = new Map();
    }
    this.young.set(id, held);
  }
}
