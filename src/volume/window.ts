import type { JournalRecord } from '../journal/journal.js';
import { decodeOperation, type Operation, OWN_KINDS_FROM } from './operation.js';
import type { VolumePath } from './path.js';

/**
 * Consecutive operations that are applied together: contents are written aside side by side, then everything is put in
 * place in order, made durable once, and counted as applied. A crash in between has the whole window done again, so no
 * path may stand in a window twice: then each operation finds its paths as they were before it, or as it left them.
 */

const OPERATIONS_MAX = 256;
const BYTES_MAX = 8 * 1024 * 1024;

export interface Step {
  sequence: number;
  operation: Operation;
}

export function* windows(records: readonly JournalRecord[]): Generator<Step[]> {
  let steps: Step[] = [];
  let paths = new Set<VolumePath>();
  let bytes = 0;
  for (const record of records) {
    // Records of the embedder's own share the stream; they are no business of the files.
    if (record.kind < OWN_KINDS_FROM) continue;
    let operation: Operation;
    try {
      operation = decodeOperation(record);
    } catch (error) {
      // What comes before a record that cannot be right is none the worse for it.
      if (steps.length > 0) yield steps;
      throw error;
    }
    const touched = pathsOf(operation);
    const isFull = steps.length >= OPERATIONS_MAX || bytes >= BYTES_MAX;
    if (steps.length > 0 && (isFull || standsAlone(operation) || touched.some((path) => paths.has(path)))) {
      yield steps;
      steps = [];
      paths = new Set();
      bytes = 0;
    }
    steps.push({ sequence: record.sequence, operation });
    for (const path of touched) paths.add(path);
    bytes += record.payload.byteLength;
    if (standsAlone(operation)) {
      yield steps;
      steps = [];
      paths = new Set();
      bytes = 0;
    }
  }
  if (steps.length > 0) yield steps;
}

/** What forgets the files that lie aside must not be done again after others have been put there. */
function standsAlone(operation: Operation): boolean {
  return operation.type === 'discard' || operation.type === 'begin';
}

function pathsOf(operation: Operation): VolumePath[] {
  switch (operation.type) {
    case 'discard':
    case 'begin':
    case 'part':
      return [];
    case 'rename':
      return [operation.from, operation.path];
    default:
      return [operation.path];
  }
}
