import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Contender, Store } from '../store.js';
import type { Group } from '../workload.js';

/** The limit: the payloads alone, to a file that grows, a write and a sync for each group. */
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
    let written = 0;
    while (written < payload.byteLength) written += writeSync(this.descriptor, payload, written);
    fdatasyncSync(this.descriptor);
  }

  appendMany(group: Group): void {
    this.append(group.bytes);
  }

  close(): void {
    closeSync(this.descriptor);
  }
}
