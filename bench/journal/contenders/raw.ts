import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Contender, Store } from '../store.js';
import type { Group } from '../workload.js';

/** Larger writes are slower here, by a third at 2 MiB. */
const WRITE_BYTES_MAX = 1024 * 1024;

/** The limit: the payloads alone, to a file that grows, and a sync for each group. It stops the event loop meanwhile. */
export const raw: Contender = {
  name: 'write + fdatasync',
  async open(dir) {
    return new GrowingFile(openSync(join(dir, 'file'), 'w'));
  },
};

class GrowingFile implements Store {
  readonly concurrent = false;

  constructor(private readonly descriptor: number) {}

  append(payload: Uint8Array): void {
    for (let written = 0; written < payload.byteLength; ) {
      const bytes = Math.min(payload.byteLength - written, WRITE_BYTES_MAX);
      written += writeSync(this.descriptor, payload, written, bytes);
    }
    fdatasyncSync(this.descriptor);
  }

  appendMany(group: Group): void {
    this.append(group.bytes);
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

/** The same calls as a program makes them whose event loop is not to stand still, as the journal's does not. */
export const rawAsync: Contender = {
  name: 'write + fdatasync, awaited',
  async open(dir) {
    return new AwaitedFile(await open(join(dir, 'file'), 'w'));
  },
};

class AwaitedFile implements Store {
  readonly concurrent = false;

  constructor(private readonly handle: FileHandle) {}

  async append(payload: Uint8Array): Promise<void> {
    for (let written = 0; written < payload.byteLength; ) {
      const bytes = Math.min(payload.byteLength - written, WRITE_BYTES_MAX);
      written += (await this.handle.write(payload, written, bytes)).bytesWritten;
    }
    await this.handle.datasync();
  }

  appendMany(group: Group): Promise<void> {
    return this.append(group.bytes);
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}
