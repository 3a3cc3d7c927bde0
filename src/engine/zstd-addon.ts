/** A stream inside the addon. */
export type ZstdStream = { readonly stream: unique symbol };

/** The codec as the addon has it: `native/zstd_codec.cc`. Every array that is passed belongs to the addon afterwards. */
export interface ZstdAddon {
  /** As zstd says it: 10507 is 1.5.7. */
  version: number;
  openEncoder(
    level: number,
    windowLog: number,
    longDistance: boolean,
    checksum: boolean,
    prefix: Uint8Array[],
  ): Promise<ZstdStream>;
  compress(encoder: ZstdStream, input: Uint8Array[]): Promise<Buffer>;
  end(encoder: ZstdStream): Promise<Buffer>;
  openDecoder(windowLogMax: number, prefix: Uint8Array[]): Promise<ZstdStream>;
  decompress(decoder: ZstdStream, input: Uint8Array[], outputBytesMax: number): Promise<Buffer>;
  memoryBytes(stream: ZstdStream): number;
  close(stream: ZstdStream): void;
  compressPiece(inputAndPrefix: Uint8Array[], level: number): Promise<Buffer>;
  decompressPiece(inputAndPrefix: Uint8Array[], outputBytesMax: number): Promise<Buffer>;
}
