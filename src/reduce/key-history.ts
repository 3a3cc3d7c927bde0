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
  key?: Buffer;
  offset?: number;
  payload: Uint8Array;
}

/** The keys that were written longest ago are forgotten first. */
const KEYS_MAX = 256 * 1024;
/** Smaller payloads say something about a key, and are not its content. */
const CONTENT_BYTES_MIN = 128;

export class KeyHistory {
  /** The newest record that was looked at. */
  through = 0;
  /** The newest of them that brought content. */
  private newest = 0;
  /** What each key holds, and what it held before that. */
  private readonly runs = new Map<string, { now: KeyRun; before: KeyRun | undefined }>();

  /** Records come in order; what was looked at already is passed over. */
  note({ sequence, key, offset = 0, payload }: KeyedRecord): void {
    if (sequence <= this.through) return;
    this.through = sequence;
    if (key === undefined || payload.byteLength < CONTENT_BYTES_MIN) return;
    const name = nameOf(key);
    const found = this.runs.get(name);
    // A content begins at its start, and goes on for as long as no other comes between.
    if (found !== undefined && offset > 0 && found.now.to === this.newest) {
      found.now.to = sequence;
      found.now.bytes += payload.byteLength;
    } else {
      const now = { from: sequence, to: sequence, bytes: payload.byteLength };
      this.runs.delete(name);
      this.runs.set(name, { now, before: found?.now });
      if (this.runs.size > KEYS_MAX) this.forgetOldest();
    }
    this.newest = sequence;
  }

  /**
   * The newest content of a key that is complete and of which all records lie between `floor` and `held`; `offset` tells
   * whether what comes for the key goes on with what it holds now.
   */
  find(key: Buffer, offset: number, floor: number, held: number): KeyRun | undefined {
    const found = this.runs.get(nameOf(key));
    const complete = offset > 0 ? [found?.before] : [found?.now, found?.before];
    return complete.find((run) => run !== undefined && run.from >= floor && run.to <= held);
  }

  private forgetOldest(): void {
    for (const name of this.runs.keys()) {
      this.runs.delete(name);
      return;
    }
  }
}

/** One character for each byte. */
function nameOf(key: Buffer): string {
  return key.toString('latin1');
}
