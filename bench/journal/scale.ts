/** How much of everything is measured. */
export interface Scale {
  payloadBytes: readonly number[];
  /** Records in one `appendMany`. */
  groupRecords: number;
  /** Callers at once. */
  inFlight: number;
  rounds: number;
  /** For each contender, pattern and round. */
  seconds: number;
  /** Stored before reading: whichever comes first. */
  storedBytesMax: number;
  storedRecordsMax: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export function scaleOf(tiny: boolean): Scale {
  return tiny
    ? {
        payloadBytes: [128, 8 * KIB],
        groupRecords: 16,
        inFlight: 64,
        rounds: 1,
        seconds: 0,
        storedBytesMax: MIB,
        storedRecordsMax: 256,
      }
    : {
        payloadBytes: [128, KIB, 8 * KIB, 64 * KIB],
        groupRecords: 256,
        inFlight: 1024,
        rounds: 5,
        seconds: 0.3,
        storedBytesMax: 64 * MIB,
        storedRecordsMax: 128 * KIB,
      };
}
