import xxhash from 'xxhash-wasm';

/** What a golden journal holds, as it stands in the file beside it. */
export interface Expected {
  volume: string;
  records: ExpectedRecord[];
  cursors: { name: string; position: number }[];
}

export interface ExpectedRecord {
  sequence: number;
  epoch: number;
  kind: number;
  timestamp: number;
  /** Hex digits; null without one. */
  key: string | null;
  offset: number | null;
  /** Hex digits, or length and checksum of a longer one. */
  payload: string;
  chain: string;
}

export interface GoldenRecord {
  sequence: number;
  epoch: number;
  kind: number;
  timestamp: number;
  key?: Buffer;
  offset?: number;
  payload: Buffer;
  chain: bigint;
}

const PAYLOAD_HEX_BYTES_MAX = 64;
const { h64Raw } = await xxhash();

export function expectedOf(record: GoldenRecord): ExpectedRecord {
  const { sequence, epoch, kind, timestamp, key, offset, payload, chain } = record;
  const short = payload.length <= PAYLOAD_HEX_BYTES_MAX;
  return {
    sequence,
    epoch,
    kind,
    timestamp,
    key: key?.toString('hex') ?? null,
    offset: offset ?? null,
    payload: short ? payload.toString('hex') : `${payload.length} bytes, XXH64 ${hex(h64Raw(payload, 0n))}`,
    chain: hex(chain),
  };
}

function hex(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}
