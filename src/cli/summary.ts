import type { Engine, StageCounts } from '../index.js';
import { bytes, savings } from './progress.js';

/** What a finished command says: one JSON object as the last line, or a few lines for a person. */
export interface Summary {
  records: number;
  /** Payload bytes of the records that this run carried, before reduction. */
  sourceBytes: number;
  wireBytesSent: number;
  wireBytesReceived: number;
  stages: StageCounts;
  engine: Engine;
  seconds: number;
  verified: boolean;
  [more: string]: unknown;
}

export function printSummary(summary: Summary, json: boolean, lines: string[]): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(summary)}\n`);
    return;
  }
  const { records, sourceBytes, wireBytesSent, wireBytesReceived, seconds, engine, verified } = summary;
  const wire = wireBytesSent + wireBytesReceived;
  const saved = sourceBytes > 0 ? `, ${savings(sourceBytes, wire)} saved` : '';
  process.stdout.write(
    [
      ...lines,
      `${records} records, ${bytes(sourceBytes)} of source in ${bytes(wire)} on the wire${saved}, ${seconds.toFixed(1)} s`,
      `engine: ${engine.name}${engine.reason === undefined ? '' : ` (${engine.reason})`}`,
      verified ? 'verified: source and replica agree' : 'not verified',
      '',
    ].join('\n'),
  );
}
