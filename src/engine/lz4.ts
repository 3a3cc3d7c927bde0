import { lz4BytesMax, lz4Pack, lz4Unpack } from './portable-lz4.js';

/** LZ4 blocks with their length (u32, little endian) in front: by lz4-napi where its binary is installed. */
export interface Lz4 {
  compress(bytes: Uint8Array): Promise<Buffer>;
  compressSync(bytes: Buffer): Buffer;
  /** Allocates what the length says. Raises an error for what is no such block. */
  uncompress(block: Uint8Array): Promise<Buffer>;
  uncompressSync(block: Uint8Array): Buffer;
}

const PREFIX_BYTES = 4;

/** The same on the caller's thread. */
export const portableLz4: Lz4 = {
  compress: async (bytes) => compressSync(bytes),
  compressSync,
  uncompress: async (block) => uncompressSync(block),
  uncompressSync,
};

function compressSync(bytes: Uint8Array): Buffer {
  const block = Buffer.allocUnsafeSlow(PREFIX_BYTES + lz4BytesMax(bytes.byteLength));
  block.writeUInt32LE(bytes.byteLength);
  return block.subarray(0, PREFIX_BYTES + lz4Pack(bytes, block.subarray(PREFIX_BYTES)));
}

function uncompressSync(block: Uint8Array): Buffer {
  const length = new DataView(block.buffer, block.byteOffset, block.byteLength).getUint32(0, true);
  const bytes = Buffer.allocUnsafeSlow(length);
  if (!lz4Unpack(block.subarray(PREFIX_BYTES), bytes)) throw new Error(`no LZ4 block of ${length} bytes`);
  return bytes;
}

const binary = await import('lz4-napi').catch((error: Error) => error);

export const lz4: Lz4 = binary instanceof Error ? portableLz4 : binary;

/** Why it is the portable one. Of the errors behind the first, the last attempt's says most. */
export const lz4Reason: string | undefined =
  binary instanceof Error
    ? String((binary.cause as Error | undefined)?.message ?? binary.message).split('\n')[0]
    : undefined;
