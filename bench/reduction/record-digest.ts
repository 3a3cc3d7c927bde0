import { createHash } from 'node:crypto';
import { type FiledRecord, readRecords } from './record-file.js';

/** A digest over records in their order, computed on both ends without the code under test. */
export class RecordDigest {
  readonly #hash = createHash('sha256');
  #count = 0;

  add({ key, offset, payload }: { key: string; offset: number; payload: Uint8Array }): void {
    this.#hash.update(`${key}\0${offset}\0${payload.length}\0`).update(payload);
    this.#count++;
  }

  /** `COUNT-HEX`; nothing can be added afterwards. */
  end(): string {
    return `${this.#count}-${this.#hash.digest('hex')}`;
  }
}

export async function digestOf(files: readonly string[]): Promise<string> {
  const digest = new RecordDigest();
  for (const file of files) for await (const record of readRecords(file)) digest.add(record satisfies FiledRecord);
  return digest.end();
}
