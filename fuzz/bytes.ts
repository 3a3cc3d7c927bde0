import assert from 'node:assert/strict';
import { ByteReader, ByteWriter, varintBytes } from '../src/engine/bytes.js';
import { ProtocolError } from '../src/errors.js';
import type { Random } from './random.js';
import type { FuzzTarget } from './target.js';

interface Field {
  write(writer: ByteWriter): void;
  read(reader: ByteReader): unknown;
  value: unknown;
}

/** What was written is read back, whatever the mix of fields. */
export const bytesRoundTrip: FuzzTarget = {
  name: 'bytes-round-trip',
  run(random) {
    const writer = new ByteWriter(random.below(64));
    for (let round = 0; round < 3; round++) {
      const fields = Array.from({ length: random.below(40) }, () => randomField(random));
      for (const field of fields) field.write(writer);
      const length = writer.length;
      const taken = writer.take();
      assert.equal(taken.byteLength, length);
      const reader = new ByteReader(taken);
      for (const field of fields) assert.deepEqual(field.read(reader), field.value);
      reader.end();
    }
  },
};

/** Noise never makes the reader throw anything but ProtocolError, nor give more than there is. */
export const bytesHostile: FuzzTarget = {
  name: 'bytes-hostile',
  run(random) {
    const noise = random.bytes(random.below(200));
    const reader = new ByteReader(noise);
    try {
      for (let steps = 0; steps < 100; steps++) {
        randomField(random).read(reader);
        assert.ok(reader.remaining >= 0 && reader.position + reader.remaining === noise.byteLength);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
  },
};

function randomField(random: Random): Field {
  const number = random.below(2 ** random.between(1, 21)) * 2 ** random.pick([0, 7, 14, 32]) + random.below(2);
  const bytes = random.bytes(random.pick([0, 1, random.below(300)]));
  const text = String.fromCodePoint(...Array.from({ length: random.below(20) }, () => random.below(0xd800)));
  const big = random.u64();
  const fields: Field[] = [
    { write: (w) => w.u8(bytes.byteLength & 0xff), read: (r) => r.u8(), value: bytes.byteLength & 0xff },
    { write: (w) => w.u16(number & 0xffff), read: (r) => r.u16(), value: number & 0xffff },
    { write: (w) => w.u32(number >>> 0), read: (r) => r.u32(), value: number >>> 0 },
    { write: (w) => w.u64(big), read: (r) => r.u64(), value: big },
    { write: (w) => w.u64(number), read: (r) => r.u64Number(), value: number },
    { write: (w) => w.varint(number), read: (r) => varintIn(r), value: number },
    { write: (w) => w.bytes(bytes), read: (r) => r.bytes(300), value: bytes },
    { write: (w) => w.raw(bytes), read: (r) => r.raw(bytes.byteLength), value: bytes },
    { write: (w) => w.text(text), read: (r) => r.text(80), value: text },
  ];
  return random.pick(fields);
}

function varintIn(reader: ByteReader): number {
  const before = reader.position;
  const value = reader.varint();
  assert.equal(reader.position - before, varintBytes(value), 'one number has one encoding');
  return value;
}
