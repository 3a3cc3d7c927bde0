/**
 * A frame body: codec u8, length of the batch u32, length of its payloads once they are restored u32 (little endian),
 * then the batch as the codec leaves it.
 *
 * 0 as it is, 1 an LZ4 block, 2 the next stretch of a frame of zstd, up to a flush: it decodes to this batch alone, and
 * needs all stretches before it. 3 the first stretch of a frame, behind the ranges of records that are its prefix
 * (prefix.ts).
 */
export const CODEC_NONE = 0;
export const CODEC_LZ4 = 1;
export const CODEC_ZSTD = 2;
export const CODEC_ZSTD_FIRST = 3;
export const BODY_HEADER_BYTES = 9;

export function bodyHeader(codec: number, batchBytes: number, payloadBytes: number): Buffer {
  const header = Buffer.allocUnsafe(BODY_HEADER_BYTES);
  header.writeUInt8(codec, 0);
  header.writeUInt32LE(batchBytes, 1);
  header.writeUInt32LE(payloadBytes, 5);
  return header;
}
