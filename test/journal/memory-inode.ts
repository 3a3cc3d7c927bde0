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

export class Inode {
  private content: Buffer = Buffer.alloc(0);
  private length = 0;
  private synced: Buffer = Buffer.alloc(0);
  /** What happened since the last sync. */
  private changes: Change[] = [];

  get size(): number {
    return this.length;
  }

  read(position: number, target: Uint8Array): number {
    const end = Math.min(this.length, position + target.byteLength);
    return position >= end ? 0 : this.content.copy(target, 0, position, end);
  }

  write(position: number, bytes: Uint8Array): void {
    this.changes.push({ position, bytes });
    this.put(position, bytes);
  }

  /** Cuts the file off or lets it grow with zeros. */
  resize(size: number): void {
    this.changes.push({ size });
    this.setLength(size);
  }

  sync(): void {
    this.synced = Buffer.from(this.content.subarray(0, this.length));
    this.changes = [];
  }

  /** The power was cut: what was not synced is as the lots decide, and stays so. */
  settle(coin: Coin): void {
    const { changes } = this;
    if (changes.length === 0) return;
    const image = [settleAll, settleNothing, settlePrefix, settleSectors, settleSectors, settleSectors][draw(coin, 6)];
    const bytes = (image ?? settleSectors)(this.synced, changes, coin);
    this.content = bytes;
    this.length = bytes.length;
    this.sync();
  }

  private put(position: number, bytes: Uint8Array): void {
    if (position + bytes.byteLength > this.length) this.setLength(position + bytes.byteLength);
    this.content.set(bytes, position);
  }

  private setLength(size: number): void {
    if (size > this.content.length) {
      const larger = Buffer.alloc(Math.max(size, this.content.length * 2));
      this.content.copy(larger, 0, 0, this.length);
      this.content = larger;
    }
    if (size < this.length) this.content.fill(0, size, this.length);
    this.length = size;
  }
}

function apply(image: Buffer, change: Change): Buffer {
  const size = 'size' in change ? change.size : Math.max(image.length, change.position + change.bytes.byteLength);
  const next = Buffer.alloc(size);
  image.copy(next);
  if ('bytes' in change) next.set(change.bytes, change.position);
  return next;
}

function settleAll(synced: Buffer, changes: readonly Change[]): Buffer {
  return changes.reduce(apply, synced);
}

function settleNothing(synced: Buffer): Buffer {
  return Buffer.from(synced);
}

/** What happened up to some moment is there, the last of it up to some sector. */
function settlePrefix(synced: Buffer, changes: readonly Change[], coin: Coin): Buffer {
  const count = draw(coin, changes.length + 1);
  const image = changes.slice(0, count).reduce(apply, synced);
  const torn = changes[count];
  if (torn === undefined || 'size' in torn) return image;
  const sectors = Math.ceil(torn.bytes.byteLength / SECTOR_BYTES);
  const start = torn.position - (torn.position % SECTOR_BYTES);
  const end = Math.max(torn.position, start + draw(coin, sectors + 1) * SECTOR_BYTES);
  return apply(image, { position: torn.position, bytes: torn.bytes.subarray(0, end - torn.position) });
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
