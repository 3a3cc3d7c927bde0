/**
 * A file on a disk in memory that knows what is synced and what is not. What was written since the last sync may reach
 * the disk in part and in any order, sector by sector; a power cut settles which.
 */

export const SECTOR_BYTES = 512;

/** Where the lots come from that a power cut draws. */
export type Coin = () => boolean;

/** An integer from 0 up to, not including, `limit`. */
export function draw(coin: Coin, limit: number): number {
  let value = 0;
  for (let range = 1; range < limit; range *= 2) value = value * 2 + (coin() ? 1 : 0);
  return value % limit;
}

type Change = { position: number; bytes: Uint8Array } | { size: number };

/** A change with what it takes to undo it. */
interface Done {
  change: Change;
  lengthBefore: number;
  overwritten: { position: number; bytes: Buffer };
}

export class Inode {
  private content: Buffer = Buffer.alloc(0);
  /** Whether another disk looks at the same content, which then is not changed in place. */
  private shared = false;
  private length = 0;
  /** What happened since the last sync. */
  private done: Done[] = [];
  /** What the disk holds, once a failed sync has made that differ from what is read. */
  private platter: Buffer | undefined;

  get size(): number {
    return this.length;
  }

  get unsettled(): boolean {
    return this.done.length > 0 || this.platter !== undefined;
  }

  read(position: number, target: Uint8Array): number {
    const end = Math.min(this.length, position + target.byteLength);
    return position >= end ? 0 : this.content.copy(target, 0, position, end);
  }

  write(position: number, bytes: Uint8Array): void {
    this.remember({ position, bytes }, position, position + bytes.byteLength);
    this.put(position, bytes);
  }

  /** Cuts the file off or lets it grow with zeros. */
  resize(size: number): void {
    this.remember({ size }, size, this.length);
    this.setLength(size);
  }

  sync(): void {
    if (this.platter !== undefined) this.platter = Inode.replay(this.platter, this.changes);
    this.done = [];
  }

  /** A sync failed: what was not synced is read as before, but the disk never gets it unless it is written again. */
  failSync(): void {
    this.platter = this.synced();
    this.done = [];
  }

  private get changes(): Change[] {
    return this.done.map(({ change }) => change);
  }

  /** The power was cut: what was not synced is as the lots decide, and stays so. */
  settle(coin: Coin): void {
    if (!this.unsettled) return;
    const image = [settleAll, settleNothing, settlePrefix, settleSectors, settleSectors, settleSectors][draw(coin, 6)];
    this.content = (image ?? settleSectors)(this.synced(), this.changes, coin);
    this.length = this.content.length;
    this.shared = false;
    this.platter = undefined;
    this.done = [];
  }

  /** The same file on another disk. */
  fork(): Inode {
    const copy = new Inode();
    copy.content = this.content;
    copy.length = this.length;
    copy.done = [...this.done];
    copy.platter = this.platter;
    copy.shared = true;
    this.shared = true;
    return copy;
  }

  /** What the changes make of some content. */
  static replay(content: Uint8Array, changes: readonly Change[]): Buffer {
    const inode = new Inode();
    inode.put(0, content);
    for (const change of changes) {
      if ('size' in change) inode.setLength(change.size);
      else inode.put(change.position, change.bytes);
    }
    return inode.content.subarray(0, inode.length);
  }

  /** As the last sync left it. */
  private synced(): Buffer {
    if (this.platter !== undefined) return this.platter;
    const before = new Inode();
    before.put(0, this.content.subarray(0, this.length));
    for (const { lengthBefore, overwritten } of this.done.toReversed()) {
      before.setLength(lengthBefore);
      before.put(overwritten.position, overwritten.bytes);
    }
    return before.content.subarray(0, before.length);
  }

  private remember(change: Change, from: number, to: number): void {
    const end = Math.min(to, this.length);
    const position = Math.min(from, end);
    const bytes = Buffer.from(this.content.subarray(position, end));
    this.done.push({ change, lengthBefore: this.length, overwritten: { position, bytes } });
  }

  private put(position: number, bytes: Uint8Array): void {
    if (position + bytes.byteLength > this.length) this.setLength(position + bytes.byteLength);
    this.own();
    this.content.set(bytes, position);
  }

  private setLength(size: number): void {
    if (size > this.content.length) {
      const larger = Buffer.alloc(Math.max(size, this.content.length * 2));
      this.content.copy(larger, 0, 0, this.length);
      this.content = larger;
      this.shared = false;
    }
    if (size < this.length) {
      this.own();
      this.content.fill(0, size, this.length);
    }
    this.length = size;
  }

  private own(): void {
    if (!this.shared) return;
    const copy = Buffer.alloc(this.content.length);
    this.content.copy(copy, 0, 0, this.length);
    this.content = copy;
    this.shared = false;
  }
}

function settleAll(synced: Buffer, changes: readonly Change[]): Buffer {
  return Inode.replay(synced, changes);
}

function settleNothing(synced: Buffer): Buffer {
  return Buffer.from(synced);
}

/** What happened up to some moment is there, the last of it up to some sector. */
function settlePrefix(synced: Buffer, changes: readonly Change[], coin: Coin): Buffer {
  const count = draw(coin, changes.length + 1);
  const kept = changes.slice(0, count);
  const torn = changes[count];
  if (torn === undefined || 'size' in torn) return Inode.replay(synced, kept);
  const sectors = Math.ceil(torn.bytes.byteLength / SECTOR_BYTES);
  const start = torn.position - (torn.position % SECTOR_BYTES);
  const end = Math.max(torn.position, start + draw(coin, sectors + 1) * SECTOR_BYTES);
  const bytes = torn.bytes.subarray(0, end - torn.position);
  return Inode.replay(synced, [...kept, { position: torn.position, bytes }]);
}

/** Each sector is as some moment since the last sync left it, and so is the length. */
function settleSectors(synced: Buffer, changes: readonly Change[], coin: Coin): Buffer {
  const lengths = [synced.length];
  for (const change of changes) {
    const length = lengths[lengths.length - 1] ?? 0;
    lengths.push('size' in change ? change.size : Math.max(length, change.position + change.bytes.byteLength));
  }
  // Mostly the length that all of it would give, as otherwise little is left to look at.
  const length = lengths[coin() ? lengths.length - 1 : draw(coin, lengths.length)] ?? 0;
  const image = Buffer.alloc(Math.max(...lengths));
  synced.copy(image);
  for (const [sector, touching] of bySector(changes)) {
    const count = draw(coin, touching.length + 1);
    for (const change of touching.slice(0, count)) applyTo(image, sector * SECTOR_BYTES, change);
  }
  return image.subarray(0, length);
}

/** The changes that each sector saw; a file that is cut off loses the sectors behind. */
function bySector(changes: readonly Change[]): Map<number, Change[]> {
  const sectors = new Map<number, Change[]>();
  for (const change of changes) {
    if ('size' in change) {
      for (const [sector, touching] of sectors) if ((sector + 1) * SECTOR_BYTES > change.size) touching.push(change);
      continue;
    }
    const last = Math.ceil((change.position + change.bytes.byteLength) / SECTOR_BYTES);
    for (let sector = Math.floor(change.position / SECTOR_BYTES); sector < last; sector++) {
      const touching = sectors.get(sector) ?? [];
      touching.push(change);
      sectors.set(sector, touching);
    }
  }
  return sectors;
}

function applyTo(image: Buffer, start: number, change: Change): void {
  const end = Math.min(start + SECTOR_BYTES, image.length);
  if ('size' in change) {
    image.fill(0, Math.max(start, change.size), Math.max(end, change.size));
    return;
  }
  const from = Math.max(start, change.position);
  const to = Math.min(end, change.position + change.bytes.byteLength);
  if (to > from) image.set(change.bytes.subarray(from - change.position, to - change.position), from);
}
