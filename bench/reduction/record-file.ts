import { closeSync, openSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';

/**
 * Records in a file, so that a process can be told what to send. Each record, numbers in little endian:
 *
 *   u32 bytes of the key | u32 bytes of the payload | u64 offset | key | payload
 */
export interface FiledRecord {
  key: string;
  offset: number;
  payload: Buffer;
}

const HEADER_BYTES = 16;
const PIECE_BYTES = 4 * 1024 * 1024;

export class RecordWriter {
  readonly #fd: number;
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** Of all payloads so far. */
  payloadBytes = 0;

  constructor(path: string) {
    this.#fd = openSync(path, 'w');
  }

  /** Keeps `payload` until it is written; the caller leaves it alone. */
  add({ key, offset, payload }: FiledRecord): void {
    const name = Buffer.from(key);
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(name.length, 0);
    header.writeUInt32LE(payload.length, 4);
    header.writeBigUInt64LE(BigInt(offset), 8);
    this.#held.push(header, name, payload);
    this.#heldBytes += HEADER_BYTES + name.length + payload.length;
    this.payloadBytes += payload.length;
    if (this.#heldBytes >= PIECE_BYTES) this.#flush();
  }

  close(): void {
    this.#flush();
    closeSync(this.#fd);
  }

  #flush(): void {
    const piece = Buffer.concat(this.#held);
    for (let done = 0; done < piece.length; ) done += writeSync(this.#fd, piece, done);
    this.#held = [];
    this.#heldBytes = 0;
  }
}

/** Every record in order. Payloads are views of memory that is not written again. */
export async function* readRecords(path: string): AsyncGenerator<FiledRecord> {
  const file = await open(path, 'r');
  try {
    let ahead = Buffer.alloc(0);
    const take = async (bytes: number): Promise<Buffer | undefined> => {
      while (ahead.length < bytes) {
        const { buffer, bytesRead } = await file.read({ buffer: Buffer.allocUnsafe(PIECE_BYTES) });
        if (bytesRead === 0) return undefined;
        ahead = Buffer.concat([ahead, buffer.subarray(0, bytesRead)]);
      }
      const taken = ahead.subarray(0, bytes);
      ahead = ahead.subarray(bytes);
      return taken;
    };
    for (;;) {
      const header = await take(HEADER_BYTES);
      if (header === undefined) return;
      const keyBytes = header.readUInt32LE(0);
      const body = await take(keyBytes + header.readUInt32LE(4));
      if (body === undefined) throw new Error(`${path} ends within a record`);
      const offset = Number(header.readBigUInt64LE(8));
      yield { key: body.toString('utf8', 0, keyBytes), offset, payload: body.subarray(keyBytes) };
    }
  } finally {
    await file.close();
  }
}
