import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChangeSet, Limit } from './change-set.js';
import { emptyDirectory } from './directories.js';
import { type FiledRecord, type RecordWriter, readRecords } from './record-file.js';
import { rawIn, zstdBytes } from './zstd.js';

/** A database whose page writes were captured in order: its content first, then the writes. */

/** What a volume sends of a file at a time. */
const CONTENT_BYTES = 1024 * 1024;

export interface PageCapture {
  /** The directories before and after the writes. */
  before: string;
  after: string;
  /** The records of both steps. */
  content: string;
  writes: string;
}

/** Where the parts of a capture lie in its directory. */
export function captureIn(dir: string): PageCapture {
  const [before, after, content, writes] = ['before', 'after', 'content.records', 'writes.records'].map((name) =>
    join(dir, name),
  ) as [string, string, string, string];
  return { before, after, content, writes };
}

/** The set that a capture makes. `pageBytes` is the size of a page of this database. */
export function pageSet(name: string, { before, after, content, writes }: PageCapture, pageBytes: number): ChangeSet {
  return {
    name,
    steps: [
      { name: 'first copy', make: (dir) => replaceWith(dir, before), records: async () => content },
      {
        name: 'page writes',
        make: (dir) => replaceWith(dir, after),
        records: async () => writes,
        limits: limitsOf(content, writes, pageBytes),
      },
    ],
  };
}

/** Adds a file as records of at most 1 MiB under `key`. */
export function addContent(writer: RecordWriter, key: string, path: string): void {
  const fd = openSync(path, 'r');
  try {
    for (let offset = 0; ; ) {
      const payload = Buffer.allocUnsafe(CONTENT_BYTES);
      const bytes = readSync(fd, payload, 0, CONTENT_BYTES, offset);
      if (bytes === 0) return;
      writer.add({ key, offset, payload: payload.subarray(0, bytes) });
      offset += bytes;
    }
  } finally {
    closeSync(fd);
  }
}

function limitsOf(content: string, writes: string, pageBytes: number): Limit[] {
  return [
    { name: 'zstd -3 --long=27', bytes: (scratch) => compressed(scratch, writes, ({ payload }) => payload) },
    {
      name: 'XOR, zstd -3 --long=27',
      async bytes(scratch) {
        const pages = await pagesOf(content, pageBytes);
        return compressed(scratch, writes, (record) => sinceBefore(pages, record));
      },
    },
  ];
}

/** What zstd makes of the records of a file, each put as `as` says, end to end. */
async function compressed(scratch: string, records: string, as: (record: FiledRecord) => Buffer): Promise<number> {
  const raw = rawIn(scratch);
  const fd = openSync(raw, 'w');
  try {
    for await (const record of readRecords(records)) writeSync(fd, as(record));
  } finally {
    closeSync(fd);
  }
  return zstdBytes(raw);
}

type Pages = Map<string, Buffer>;

const placeOf = ({ key, offset }: { key: string; offset: number }): string => `${key}\0${offset}`;

async function pagesOf(content: string, pageBytes: number): Promise<Pages> {
  const pages: Pages = new Map();
  for await (const { key, offset, payload } of readRecords(content)) {
    for (let at = 0; at < payload.length; at += pageBytes) {
      pages.set(placeOf({ key, offset: offset + at }), payload.subarray(at, at + pageBytes));
    }
  }
  return pages;
}

/** A page XOR what its place held before, which is then what is written here. */
function sinceBefore(pages: Pages, record: FiledRecord): Buffer {
  const place = placeOf(record);
  const former = pages.get(place);
  pages.set(place, record.payload);
  if (former === undefined) return record.payload;
  const delta = Buffer.from(record.payload);
  for (let i = 0; i < Math.min(delta.length, former.length); i++) delta[i] = (delta[i] ?? 0) ^ (former[i] ?? 0);
  return delta;
}

async function replaceWith(dir: string, content: string): Promise<void> {
  await emptyDirectory(dir);
  await cp(content, dir, { recursive: true, preserveTimestamps: true });
}
