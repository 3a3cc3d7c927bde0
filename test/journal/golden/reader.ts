import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import xxhash from 'xxhash-wasm';
import { type Table, tables } from '../../docs/tables.js';
import type { GoldenRecord } from './expected.js';

/**
 * A reader of journals that knows of them only what docs/journal-format.md says: where fields lie it looks up in the
 * page's tables when it runs, and nothing of the journal's own code is used.
 */

const { h64Raw } = await xxhash();

const page = tables(readFileSync(new URL('../../../docs/journal-format.md', import.meta.url), 'utf8'));

const PAGE_BYTES = 4096;
const ALIGNMENT = 8;
const CANONICAL_BYTES = 48;
const VERSION = 2;

export interface ReadJournal {
  volume: string;
  records: GoldenRecord[];
  /** By name of the file. */
  cursors: { file: string; position: number; chain: bigint }[];
  /** Whether a footer ends the last segment and says that no record is missing. */
  closed: boolean;
}

/** A structure as its table lays it out, somewhere in a file. */
class Structure {
  private readonly fields: ReadonlyMap<string, { offset: number; size: number }>;

  constructor(
    heading: string,
    private readonly file: Buffer,
    private readonly at: number,
  ) {
    this.fields = layoutOf(heading);
  }

  number(field: string): number {
    return Number(this.big(field));
  }

  big(field: string): bigint {
    const bytes = this.bytes(field);
    let value = 0n;
    for (const byte of bytes.toReversed()) value = (value << 8n) | BigInt(byte);
    return value;
  }

  text(field: string): string {
    return this.bytes(field).toString('latin1');
  }

  bytes(field: string): Buffer {
    const { offset, size } = this.place(field);
    return this.file.subarray(this.at + offset, this.at + offset + size);
  }

  /** Whether the checksum is that of everything before it. */
  isSound(checksum: string, seed: bigint): boolean {
    const { offset, size } = this.place(checksum);
    if (this.at + offset + size > this.file.length) return false;
    return this.big(checksum) === h64Raw(this.file.subarray(this.at, this.at + offset), seed);
  }

  private place(field: string): { offset: number; size: number } {
    const place = this.fields.get(field);
    if (place === undefined) throw new Error(`the page has no field ${field}`);
    return place;
  }
}

function layoutOf(heading: string): Map<string, { offset: number; size: number }> {
  const rows = (page.find((table: Table) => table.heading === heading) as Table).rows;
  return new Map(
    rows.map(({ offset, size, field = '' }) => [
      field.replaceAll('`', ''),
      { offset: Number(offset), size: Number(size) },
    ]),
  );
}

function sizeOf(heading: string): number {
  return [...layoutOf(heading).values()].reduce((sum, { size }) => sum + size, 0);
}

export function readJournal(dir: string): ReadJournal {
  const names = readdirSync(dir).filter((name) => /^[0-9a-f]{16}\.log$/.test(name));
  const segments = names.sort().map((name) => new SegmentReader(name, readFileSync(join(dir, name))));
  const records: GoldenRecord[] = [];
  for (const [index, segment] of segments.entries()) {
    const found = segment.records();
    const next = segments[index + 1];
    records.push(...(next === undefined ? found : found.slice(0, next.first - segment.first)));
    if (next === undefined) continue;
    if (next.volume !== segment.volume || next.first - next.previousRecords !== segment.first) {
      throw new Error(`${segment.name} is not the one before ${next.name}`);
    }
    const last = records.at(-1);
    if (last?.sequence !== next.first - 1 || last.chain !== next.chain) throw new Error(`${segment.name} is cut off`);
  }
  const active = segments.at(-1);
  if (active === undefined) throw new Error(`${dir} has no segment`);
  const closed = active.footer?.number('last') === (records.at(-1)?.sequence ?? active.first - 1);
  return { volume: active.volume, records, cursors: readCursors(join(dir, 'cursors')), closed };
}

class SegmentReader {
  readonly first: number;
  readonly chain: bigint;
  readonly volume: string;
  readonly previousRecords: number;
  readonly footer: Structure | undefined;
  private readonly epoch: bigint;
  private readonly seed: bigint;
  private readonly groupsEndMax: number;

  constructor(
    readonly name: string,
    private readonly file: Buffer,
  ) {
    const header = new Structure('Segment header', file, 0);
    if (header.text('magic') !== 'LHSG' || !header.isSound('checksum', 0n)) throw new Error(`${name} has no header`);
    if (header.number('version') !== VERSION) throw new Error(`${name} has version ${header.number('version')}`);
    this.first = header.number('first');
    if (this.first !== Number.parseInt(name, 16)) throw new Error(`${name} starts with record ${this.first}`);
    this.chain = header.big('chain');
    this.epoch = header.big('epoch');
    this.volume = header.bytes('volume').toString('hex');
    this.previousRecords = header.number('previousRecords');
    this.seed = header.big('checksum');
    const footer = this.readFooter();
    this.footer = footer?.trailer;
    this.groupsEndMax = footer?.at ?? file.length;
  }

  /** The records of all sound groups. */
  records(): GoldenRecord[] {
    const records: GoldenRecord[] = [];
    for (let at = PAGE_BYTES; at < this.groupsEndMax; ) {
      const group = this.group(at, records.at(-1));
      if (group === undefined) break;
      records.push(...group.records);
      at = group.end;
    }
    return records;
  }

  private readFooter(): { trailer: Structure; at: number } | undefined {
    const { file, seed } = this;
    const start = file.length - sizeOf('Footer trailer');
    if (start < PAGE_BYTES) return undefined;
    const trailer = new Structure('Footer trailer', file, start);
    if (trailer.text('magic') !== 'LHFT') return undefined;
    const at = start - trailer.number('places') * sizeOf('Index place');
    if (at < PAGE_BYTES || !trailer.isSound('checksum', h64Raw(file.subarray(at, start), seed))) return undefined;
    const place = new Structure('Index place', file, at);
    if (place.number('sequence') !== this.first || place.number('offset') !== PAGE_BYTES) {
      throw new Error(`the index of ${this.name} does not begin with its first group`);
    }
    return { trailer, at };
  }

  private group(at: number, before: GoldenRecord | undefined): { records: GoldenRecord[]; end: number } | undefined {
    const header = new Structure('Group header', this.file, at);
    if (header.text('magic') !== 'LHGR' || !header.isSound('checksum', this.seed)) return undefined;
    const end = at + header.number('bytes');
    let chain = before?.chain ?? this.chain;
    let sequence = (before?.sequence ?? this.first - 1) + 1;
    let epoch = BigInt(before?.epoch ?? this.epoch);
    if (header.number('first') !== sequence || header.big('chain') !== chain) return undefined;
    if (end > this.groupsEndMax || end % ALIGNMENT !== 0) return undefined;
    const records: GoldenRecord[] = [];
    for (let offset = at + sizeOf('Group header'); offset < end; sequence++) {
      const found = this.record(offset, end);
      if (found === undefined || found.record.sequence !== sequence || found.record.epoch < epoch) return undefined;
      if (found.record.chain !== h64Raw(this.file.subarray(offset, offset + CANONICAL_BYTES), chain)) return undefined;
      records.push(found.record);
      offset = found.end;
      chain = found.record.chain;
      epoch = BigInt(found.record.epoch);
    }
    return records.length === header.number('records') ? { records, end } : undefined;
  }

  private record(at: number, groupEnd: number): { record: GoldenRecord; end: number } | undefined {
    const header = new Structure('Record', this.file, at);
    if (!header.isSound('headerChecksum', this.seed)) return undefined;
    const keyStart = at + sizeOf('Record');
    const hasKey = header.number('keyLength') !== 65535;
    const keyEnd = keyStart + (hasKey ? header.number('keyLength') : 0);
    const payloadEnd = keyEnd + header.number('payloadLength');
    const end = Math.ceil(payloadEnd / ALIGNMENT) * ALIGNMENT;
    if (end > groupEnd) return undefined;
    const key = this.file.subarray(keyStart, keyEnd);
    const payload = this.file.subarray(keyEnd, payloadEnd);
    if (header.big('payloadChecksum') !== h64Raw(payload, h64Raw(key, 0n))) return undefined;
    const hasOffset = header.big('offset') !== 2n ** 64n - 1n;
    const record: GoldenRecord = {
      sequence: header.number('sequence'),
      epoch: header.number('epoch'),
      kind: header.number('kind'),
      timestamp: header.number('timestamp'),
      ...(hasKey ? { key } : {}),
      ...(hasOffset ? { offset: header.number('offset') } : {}),
      payload,
      chain: header.big('chain'),
    };
    return { record, end };
  }
}

function readCursors(dir: string): ReadJournal['cursors'] {
  return readdirSync(dir)
    .sort()
    .map((file) => {
      const bytes = readFileSync(join(dir, file));
      const slots = [0, PAGE_BYTES].map((at) => new Structure('Cursor slot', bytes, at));
      const sound = slots.filter((slot) => slot.text('magic') === 'LHCU' && slot.isSound('checksum', 0n));
      const [newest] = sound.sort((a, b) => b.number('counter') - a.number('counter'));
      if (newest === undefined) throw new Error(`${file} has no sound slot`);
      return { file, position: newest.number('sequence'), chain: newest.big('chain') };
    });
}
