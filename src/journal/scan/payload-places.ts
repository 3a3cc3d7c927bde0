import { ByteWriter } from '../../engine/bytes.js';
import { RECORD_HEADER_BYTES, recordBytes } from '../../engine/record-layout.js';
import { GROUP_HEADER_BYTES } from '../format/format.js';

/**
 * Where the payloads of records in a row lie, in three to five bytes for each. Records follow each other without a gap
 * but for the headers of groups, so their lengths say where they start:
 *
 *   varint  twice the length of the payload, and 1 more when a group begins with the record
 *   varint  the length of the key
 *
 * What looks for a record reads on from the nearest anchor before it.
 */

const ANCHOR_RECORDS = 16;

/** A record as its header tells it. */
export interface RecordPlace {
  /** Where the record starts in the segment. */
  start: number;
  keyLength: number;
  payloadLength: number;
}

export interface PayloadPlace {
  /** Where the payload starts in the segment. */
  start: number;
  length: number;
}

export class PayloadPlaces {
  count = 0;
  private codes = new Uint8Array(0);
  /** For every 16th record where its code lies, and where the record before it ends. */
  private anchors = new Uint32Array(0);
  /** Of the code that is read next. */
  private position = 0;

  /** `end` is where the newest record ends; before the first one, where its group starts. */
  constructor(private end: number) {}

  get bytes(): number {
    return this.codes.byteLength + this.anchors.byteLength;
  }

  /** Adds those that follow. */
  add(records: readonly RecordPlace[]): void {
    const codes = new ByteWriter(this.codes.byteLength + 4 * records.length + 8).raw(this.codes);
    const anchors = new Uint32Array(2 * Math.ceil((this.count + records.length) / ANCHOR_RECORDS));
    anchors.set(this.anchors);
    for (const { start, keyLength, payloadLength } of records) {
      const gap = start - this.end;
      if (gap !== 0 && gap !== GROUP_HEADER_BYTES) throw new Error(`${gap} bytes lie between two records`);
      if (this.count % ANCHOR_RECORDS === 0) anchors.set([codes.length, this.end], (2 * this.count) / ANCHOR_RECORDS);
      codes.varint(2 * payloadLength + (gap === 0 ? 0 : 1)).varint(keyLength);
      this.end = start + recordBytes(keyLength, payloadLength);
      this.count++;
    }
    // What the writer gives may have room to spare.
    this.codes = new Uint8Array(codes.take());
    this.anchors = anchors;
  }

  /** That of the record with this index, from 0 to `count - 1`. */
  at(index: number): PayloadPlace {
    const anchor = Math.floor(index / ANCHOR_RECORDS);
    this.position = this.anchors[2 * anchor] as number;
    let end = this.anchors[2 * anchor + 1] as number;
    for (let at = anchor * ANCHOR_RECORDS; ; at++) {
      const code = this.varint();
      const keyLength = this.varint();
      const length = code >>> 1;
      if ((code & 1) !== 0) end += GROUP_HEADER_BYTES;
      if (at === index) return { start: end + RECORD_HEADER_BYTES + keyLength, length };
      end += recordBytes(keyLength, length);
    }
  }

  /** All are far below 2^31. */
  private varint(): number {
    const { codes } = this;
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = codes[this.position++] as number;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }
}
