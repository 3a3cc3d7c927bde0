import type { Random } from '../../../fuzz/random.js';
import type { JournalRecord } from '../../../src/journal/journal.js';

/**
 * What is replicated in a run: writes to pages of a few objects, objects rewritten, grown, cut and copied, lines of a log,
 * noise, nothing at all, and now and then something large. All of it comes from one seed.
 */

export type NewRecord = Pick<JournalRecord, 'epoch' | 'kind' | 'timestamp' | 'payload'> &
  Partial<Pick<JournalRecord, 'key' | 'offset'>>;

interface Piece {
  key?: Buffer;
  offset?: number;
  payload: Buffer;
}

const OBJECTS = 12;
const OBJECT_BYTES_MAX = 64 * 1024;
const PAGE_BYTES = 4096;
const NOISE_BYTES = 256 * 1024;
const LARGE_BYTES = 300 * 1024;

export class Workload {
  readonly #random: Random;
  readonly #noise: Buffer;
  readonly #objects: Buffer[];
  readonly #pending: Piece[] = [];
  #epoch = 1;
  #timestamp = 1_700_000_000_000_000;
  #copies = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#noise = random.bytes(NOISE_BYTES);
    this.#objects = Array.from({ length: OBJECTS }, () => this.#content(random.between(1, 48 * 1024)));
  }

  next(): NewRecord {
    const random = this.#random;
    while (this.#pending.length === 0) this.#draw();
    const piece = this.#pending.shift() as Piece;
    if (random.chance(1 / 5000)) this.#epoch++;
    this.#timestamp += random.chance(1 / 50) ? -random.below(1_000_000) : random.below(2000);
    return {
      epoch: this.#epoch,
      kind: random.chance(1 / 20) ? random.below(256) : 1,
      timestamp: this.#timestamp,
      ...piece,
    };
  }

  #draw(): void {
    const lot = this.#random.below(1000);
    if (lot < 430) this.#writePage();
    else if (lot < 530) this.#writeAnywhere();
    else if (lot < 570) this.#grow();
    else if (lot < 600) this.#cut();
    else if (lot < 612) this.#rewrite();
    else if (lot < 624) this.#copy();
    else if (lot < 936) this.#log();
    else if (lot < 976) this.#addNoise();
    else if (lot < 994) this.#pending.push({ ...this.#maybeKey(), payload: Buffer.alloc(0) });
    else this.#pending.push({ ...this.#maybeKey(), payload: this.#slice(this.#random.below(LARGE_BYTES)) });
  }

  /** A few bytes of an object change, and the pages they are in are written. */
  #writePage(): void {
    const index = this.#random.below(OBJECTS);
    const object = this.#object(index);
    const at = this.#random.below(Math.max(1, object.byteLength));
    this.#touch(object, at);
    const start = at - (at % PAGE_BYTES);
    this.#write(index, start, start + PAGE_BYTES * (this.#random.chance(1 / 8) ? 2 : 1));
  }

  /** The same at no page's bounds, so that writes overlap. */
  #writeAnywhere(): void {
    const index = this.#random.below(OBJECTS);
    const object = this.#object(index);
    const at = this.#random.below(Math.max(1, object.byteLength));
    this.#touch(object, at);
    const start = Math.max(0, at - this.#random.below(PAGE_BYTES));
    this.#write(index, start, at + this.#random.below(PAGE_BYTES));
  }

  #grow(): void {
    const index = this.#random.below(OBJECTS);
    const object = this.#object(index);
    const more = this.#content(this.#random.between(1, 2 * PAGE_BYTES));
    if (object.byteLength + more.byteLength > OBJECT_BYTES_MAX) return;
    this.#objects[index] = Buffer.concat([object, more]);
    this.#write(index, object.byteLength, object.byteLength + more.byteLength);
  }

  #cut(): void {
    const index = this.#random.below(OBJECTS);
    const object = this.#object(index);
    this.#objects[index] = object.subarray(0, this.#random.below(object.byteLength + 1));
    this.#pending.push({ key: keyOf(index), offset: object.byteLength, payload: Buffer.alloc(0) });
  }

  /** All of an object, with something put in, taken out and changed. */
  #rewrite(): void {
    const random = this.#random;
    const index = random.below(OBJECTS);
    const object = this.#object(index);
    const at = random.below(object.byteLength + 1);
    const put = this.#content(random.below(500));
    const edited = Buffer.concat([object.subarray(0, at), put, object.subarray(at + random.below(500))]);
    this.#objects[index] = edited.subarray(0, OBJECT_BYTES_MAX);
    this.#touch(this.#object(index), random.below(Math.max(1, edited.byteLength)));
    this.#writeAll(keyOf(index), this.#object(index));
  }

  /** As it is, or so edited that no chunk of it is left. */
  #copy(): void {
    const source = Buffer.from(this.#object(this.#random.below(OBJECTS)));
    if (this.#random.chance(1 / 2)) for (let at = 0; at < source.byteLength; at += 1200) this.#touch(source, at);
    this.#copies++;
    this.#writeAll(Buffer.from(`copy/${this.#copies % 50}`), source);
    if (this.#random.chance(1 / 3)) this.#objects[this.#random.below(OBJECTS)] = Buffer.from(source);
  }

  #log(): void {
    const random = this.#random;
    const line = `${random.below(86_400)} user ${random.below(50)} opened item ${random.u32()} of ${random.below(9)}\n`;
    this.#pending.push({ ...(random.chance(1 / 2) ? { key: Buffer.from('log') } : {}), payload: Buffer.from(line) });
  }

  #addNoise(): void {
    this.#pending.push({ ...this.#maybeKey(), payload: this.#random.bytes(this.#random.below(3000)) });
  }

  #maybeKey(): Pick<Piece, 'key' | 'offset'> {
    const random = this.#random;
    const key = random.chance(1 / 2) ? { key: random.bytes(random.below(20)) } : {};
    // Some lie where hardly anything can follow.
    return random.chance(1 / 2)
      ? key
      : { ...key, offset: random.chance(1 / 2) ? Number.MAX_SAFE_INTEGER - random.below(2 ** 20) : 4096 };
  }

  #writeAll(key: Buffer, content: Buffer): void {
    const piece = this.#random.pick([1500, 8 * 1024, 64 * 1024]);
    for (let offset = 0; offset < content.byteLength; offset += piece) {
      this.#pending.push({ key, offset, payload: Buffer.from(content.subarray(offset, offset + piece)) });
    }
  }

  #write(index: number, start: number, end: number): void {
    // The objects go on changing under what was written.
    this.#pending.push({
      key: keyOf(index),
      offset: start,
      payload: Buffer.from(this.#object(index).subarray(start, end)),
    });
  }

  #touch(object: Buffer, at: number): void {
    const random = this.#random;
    for (let changes = random.between(1, 6); changes > 0; changes--) {
      const place = at + random.below(64);
      if (place < object.byteLength) object[place] = random.below(256);
    }
  }

  #object(index: number): Buffer {
    return this.#objects[index] as Buffer;
  }

  /** Of its own; half of it compresses. */
  #content(bytes: number): Buffer {
    const noise = this.#slice(bytes);
    return this.#random.chance(1 / 2) ? noise : Buffer.from(noise.toString('hex').slice(0, bytes));
  }

  /** Of noise that comes again. */
  #slice(bytes: number): Buffer {
    const at = this.#random.below(NOISE_BYTES);
    const doubled = Buffer.concat([this.#noise.subarray(at), this.#noise, this.#noise.subarray(0, at)]);
    return Buffer.from(doubled.subarray(0, bytes));
  }
}

function keyOf(index: number): Buffer {
  return Buffer.from(`object/${index}`);
}
