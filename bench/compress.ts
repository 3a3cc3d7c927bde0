import { brotliCompressSync, brotliDecompressSync, constants, deflateSync, inflateSync } from 'node:zlib';
import { compressSync, uncompressSync } from 'lz4-napi';
import { Bench as Tinybench } from 'tinybench';
import { portableLz4 } from '../src/engine/lz4.js';
import type { Bench, BenchRow } from './bench.js';
import { realText } from './kit/real-text.js';
import { megabytesPerSecond } from './kit/throughput.js';

interface Codec {
  name: string;
  pack(bytes: Uint8Array): Buffer;
  unpack(bytes: Uint8Array): Buffer;
}

const PIECE_BYTES = 1024 * 1024;
const BROTLI_FASTEST = { params: { [constants.BROTLI_PARAM_QUALITY]: 0 } };

const LZ4: Codec = {
  name: 'LZ4',
  pack: (bytes) => compressSync(Buffer.from(bytes)),
  unpack: (bytes) => uncompressSync(Buffer.from(bytes)),
};
const RIVALS: readonly Codec[] = [
  {
    name: 'deflate, level 1',
    pack: (bytes) => deflateSync(bytes, { level: 1 }),
    unpack: (bytes) => inflateSync(bytes),
  },
  {
    name: 'brotli, quality 0',
    pack: (bytes) => brotliCompressSync(bytes, BROTLI_FASTEST),
    unpack: (bytes) => brotliDecompressSync(bytes),
  },
  {
    name: 'LZ4 in JavaScript',
    pack: (bytes) => portableLz4.compressSync(Buffer.from(bytes)),
    unpack: (bytes) => portableLz4.uncompressSync(Buffer.from(bytes)),
  },
];

/** The codec of the batches beside what Node brings itself, on one core. */
export const compress: Bench = {
  name: 'compress',
  describe: 'LZ4 and the codecs of Node, packing and unpacking 1 MiB pieces of real text',
  async run({ tiny }) {
    const pieces = realText(PIECE_BYTES, tiny ? 1 : 8);
    const rivals: Figures[] = [];
    const lz4 = await measure(LZ4, pieces, tiny);
    for (const codec of RIVALS) rivals.push(await measure(codec, pieces, tiny));
    return [...rows(lz4, rivals[0]), ...rivals.flatMap((rival) => rows(rival))];
  },
};

interface Figures {
  name: string;
  packed: number;
  unpacked: number;
  times: number;
}

async function measure(codec: Codec, pieces: Uint8Array[], tiny: boolean): Promise<Figures> {
  const packed = pieces.map((piece) => codec.pack(piece));
  const bytes = pieces.length * PIECE_BYTES;
  const bench = new Tinybench({ time: tiny ? 0 : 1000, warmupTime: tiny ? 0 : 250, iterations: tiny ? 1 : 10 });
  bench.add('pack', () => {
    for (const piece of pieces) codec.pack(piece);
  });
  bench.add('unpack', () => {
    for (const piece of packed) codec.unpack(piece);
  });
  await bench.run();
  return {
    name: codec.name,
    packed: megabytesPerSecond(bench, 'pack', bytes),
    unpacked: megabytesPerSecond(bench, 'unpack', bytes),
    times: bytes / packed.reduce((sum, piece) => sum + piece.byteLength, 0),
  };
}

function rows({ name, packed, unpacked, times }: Figures, rival?: Figures): BenchRow[] {
  const versus = (ours: number, theirs: number | undefined) =>
    rival === undefined || theirs === undefined ? {} : { rival: rival.name, ratio: ours / theirs };
  return [
    {
      name: `${name}, pack 1 MiB`,
      metric: 'throughput',
      value: packed,
      unit: 'MB/s',
      ...versus(packed, rival?.packed),
    },
    {
      name: `${name}, unpack 1 MiB`,
      metric: 'throughput',
      value: unpacked,
      unit: 'MB/s',
      ...versus(unpacked, rival?.unpacked),
    },
    { name: `${name}, 1 MiB`, metric: 'smaller', value: times, unit: 'times', ...versus(times, rival?.times) },
  ];
}
