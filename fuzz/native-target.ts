/** One program of fuzz/native/ that throws bytes at kernels of native/, and what it is made of. */
export interface NativeTarget {
  name: string;
  /** Of fuzz/native/, without the ending. */
  sources: readonly string[];
  /** Of native/, without the ending. */
  kernels: readonly string[];
  libraries: readonly ('blake3' | 'zstd')[];
  /** Compares as many numbers as it reads bytes, none of which an input could be made of. */
  hot?: true;
  inputBytesMax: number;
  /** What the tests take time for. */
  smokeRuns: number;
}

/** Every target of a normal run, and of the smoke run in the tests. */
export const nativeTargets: readonly NativeTarget[] = [
  {
    name: 'chunk-native',
    sources: ['chunk'],
    kernels: ['gear', 'digest', 'sketch'],
    libraries: ['blake3'],
    hot: true,
    inputBytesMax: 1000,
    smokeRuns: 1500,
  },
  {
    name: 'delta-native',
    sources: ['delta'],
    kernels: ['delta'],
    libraries: [],
    inputBytesMax: 2000,
    smokeRuns: 8000,
  },
  {
    name: 'match-native',
    sources: ['match'],
    kernels: ['match'],
    libraries: [],
    inputBytesMax: 1000,
    smokeRuns: 4000,
  },
  {
    name: 'records-native',
    sources: ['records'],
    kernels: ['records'],
    libraries: [],
    inputBytesMax: 2000,
    smokeRuns: 30_000,
  },
  {
    name: 'durable-native',
    sources: ['durable'],
    kernels: ['durable'],
    libraries: [],
    inputBytesMax: 500,
    smokeRuns: 1500,
  },
  {
    name: 'zstd-hostile-native',
    sources: ['zstd_hostile', 'zstd_frame'],
    kernels: ['zstd_decoder', 'zstd_pieces', 'zstd_call'],
    libraries: ['zstd'],
    inputBytesMax: 4000,
    smokeRuns: 6000,
  },
  {
    name: 'zstd-stream-native',
    sources: ['zstd_stream', 'zstd_frame'],
    kernels: ['zstd_decoder', 'zstd_encoder', 'zstd_pieces', 'zstd_call'],
    libraries: ['zstd'],
    inputBytesMax: 1000,
    smokeRuns: 1500,
  },
];

/** Must fail, as the canary of the other targets must. */
export const nativeCanary: NativeTarget = {
  name: 'canary-native',
  sources: ['canary'],
  kernels: [],
  libraries: [],
  inputBytesMax: 100,
  smokeRuns: 5_000_000,
};
