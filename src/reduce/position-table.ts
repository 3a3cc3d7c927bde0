/** Where history holds what has a tag of 64 bits: a chunk of content, or a block of a key. */

/** A place in the payload of a record. */
export interface Position {
  sequence: number;
  /** In bytes. */
  offset: number;
  /** 8 bits of the owner's. */
  note: number;
}

/** Words of an entry: the tag (low, high), the record's number modulo 2^32, then the note and 24 bits of offset. */
const ENTRY_WORDS = 4;
const OFFSET_BITS = 24;
const OFFSET_MASK = 2 ** OFFSET_BITS - 1;
const CAPACITY_MIN = 64;
/** With slots for a quarter more than there are entries, and growth by an eighth, an entry takes 24 bytes at most. */
const SLOTS_PER_ENTRY = 1.25;
const GROWTH = 1.125;
const NONE = 0xffff_ffff;
const UINT32_RANGE = 2 ** 32;

/**
 * Entries lie in a ring in the order in which they came, which is that of their records, so that what has left history is
 * let go from its end; a table of slots with open addressing finds the newest entry of a tag. At most 24 bytes an entry
 * beyond the first 64.
 */
export class PositionTable {
  readonly #entriesMax: number;
  #entries: Uint32Array;
  #slots: Uint32Array;
  #capacity: number;
  /** Of the ring: where the oldest entry lies, and how many there are. */
  #oldest = 0;
  #count = 0;
  #newestSequence = 0;

  readonly #mayGrow: (bytes: number) => boolean;

  /** Holds `entriesMax` entries, or what it could grow to; when there are more the oldest go. */
  constructor(entriesMax: number, mayGrow: (bytes: number) => boolean = () => true) {
    this.#entriesMax = entriesMax;
    this.#mayGrow = mayGrow;
    this.#capacity = Math.min(CAPACITY_MIN, entriesMax);
    this.#entries = new Uint32Array(this.#capacity * ENTRY_WORDS);
    this.#slots = slotsFor(this.#capacity);
  }

  get size(): number {
    return this.#count;
  }

  get memoryBytes(): number {
    return this.#entries.byteLength + this.#slots.byteLength;
  }

  /** Notes a place, of a record that is not older than any noted before. */
  add(low: number, high: number, { sequence, offset, note }: Position): void {
    if (this.#count === this.#capacity) this.#makeRoom();
    const index = this.#place(this.#count);
    const at = index * ENTRY_WORDS;
    this.#entries[at] = low;
    this.#entries[at + 1] = high;
    this.#entries[at + 2] = sequence % UINT32_RANGE;
    this.#entries[at + 3] = ((note << OFFSET_BITS) | offset) >>> 0;
    this.#count++;
    this.#newestSequence = sequence;
    const slot = this.#slotOf(low, high);
    this.#slots[slot] = index;
  }

  /** The newest place of a tag; undefined when there is none. */
  find(low: number, high: number): Position | undefined {
    const index = this.#slots[this.#slotOf(low, high)] as number;
    return index === NONE ? undefined : this.#position(index);
  }

  /** Lets go of what lies in records before this one. */
  dropBefore(sequence: number): void {
    while (this.#count > 0 && this.#sequenceAt(this.#oldest) < sequence) this.#dropOldest();
  }

  /** Forgets what lies in records from this one on: older places of the same tags are found again. */
  dropFrom(sequence: number): void {
    const before = this.#count;
    while (this.#count > 0 && this.#sequenceAt(this.#place(this.#count - 1)) >= sequence) this.#count--;
    if (this.#count === before) return;
    this.#newestSequence = this.#count === 0 ? 0 : this.#sequenceAt(this.#place(this.#count - 1));
    this.#fillSlots();
  }

  clear(): void {
    this.#slots.fill(NONE);
    this.#count = 0;
    this.#oldest = 0;
    this.#newestSequence = 0;
  }

  #makeRoom(): void {
    const capacity = Math.min(this.#entriesMax, Math.ceil(this.#capacity * GROWTH));
    if (capacity === this.#capacity || !this.#mayGrow(bytesOf(capacity) - bytesOf(this.#capacity))) {
      this.#dropOldest();
      return;
    }
    const entries = new Uint32Array(capacity * ENTRY_WORDS);
    const firstPart = this.#entries.subarray(this.#oldest * ENTRY_WORDS);
    entries.set(firstPart);
    entries.set(this.#entries.subarray(0, this.#oldest * ENTRY_WORDS), firstPart.length);
    this.#entries = entries;
    this.#capacity = capacity;
    this.#oldest = 0;
    this.#slots = slotsFor(capacity);
    this.#fillSlots();
  }

  /** In order, so that the newest of a tag has the last word. */
  #fillSlots(): void {
    this.#slots.fill(NONE);
    for (let order = 0; order < this.#count; order++) {
      const index = this.#place(order);
      const at = index * ENTRY_WORDS;
      this.#slots[this.#slotOf(this.#entries[at] as number, this.#entries[at + 1] as number)] = index;
    }
  }

  #dropOldest(): void {
    const at = this.#oldest * ENTRY_WORDS;
    const slot = this.#slotOf(this.#entries[at] as number, this.#entries[at + 1] as number);
    if (this.#slots[slot] === this.#oldest) this.#vacate(slot);
    this.#oldest = this.#oldest + 1 === this.#capacity ? 0 : this.#oldest + 1;
    this.#count--;
  }

  /** Empties a slot, and moves up what lies behind it because it was taken. */
  #vacate(vacant: number): void {
    const slots = this.#slots;
    let hole = vacant;
    for (let slot = this.#nextSlot(hole); slots[slot] !== NONE; slot = this.#nextSlot(slot)) {
      const at = (slots[slot] as number) * ENTRY_WORDS;
      const home = this.#homeOf(this.#entries[at] as number);
      const distance = (slot - home + slots.length) % slots.length;
      if (distance < (slot - hole + slots.length) % slots.length) continue;
      slots[hole] = slots[slot] as number;
      hole = slot;
    }
    slots[hole] = NONE;
  }

  /** Where the newest entry of a tag stands, or a free slot for it. */
  #slotOf(low: number, high: number): number {
    const slots = this.#slots;
    let slot = this.#homeOf(low);
    for (let index = slots[slot] as number; index !== NONE; index = slots[slot] as number) {
      if (this.#has(index, low, high)) break;
      slot = this.#nextSlot(slot);
    }
    return slot;
  }

  #homeOf(low: number): number {
    // A fraction of the table, by the lower half: the upper one may have chosen the table.
    return Math.floor(((Math.imul(low, 0x9e37_79b1) >>> 0) / UINT32_RANGE) * this.#slots.length);
  }

  #nextSlot(slot: number): number {
    return slot + 1 === this.#slots.length ? 0 : slot + 1;
  }

  #has(index: number, low: number, high: number): boolean {
    const at = index * ENTRY_WORDS;
    return this.#entries[at] === low && this.#entries[at + 1] === high;
  }

  /** The ring's place of the entry that came as number `order` of those that there are. */
  #place(order: number): number {
    const index = this.#oldest + order;
    return index >= this.#capacity ? index - this.#capacity : index;
  }

  #position(index: number): Position {
    const packed = this.#entries[index * ENTRY_WORDS + 3] as number;
    return { sequence: this.#sequenceAt(index), offset: packed & OFFSET_MASK, note: packed >>> OFFSET_BITS };
  }

  #sequenceAt(index: number): number {
    const stored = this.#entries[index * ENTRY_WORDS + 2] as number;
    const newest = this.#newestSequence;
    const distance = (newest % UINT32_RANGE) - stored;
    return newest - (distance < 0 ? distance + UINT32_RANGE : distance);
  }
}

function bytesOf(capacity: number): number {
  return 4 * (capacity * ENTRY_WORDS + Math.ceil(capacity * SLOTS_PER_ENTRY));
}

function slotsFor(capacity: number): Uint32Array {
  return new Uint32Array(Math.ceil(capacity * SLOTS_PER_ENTRY)).fill(NONE);
}
