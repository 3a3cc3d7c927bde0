import type { Capability } from '../../../src/engine/capability.js';
import type { Journal, JournalRecord, PayloadRange } from '../../../src/journal/journal.js';
import { Decoder, type HistorySource, type RestoredBatch } from '../../../src/reduce/decoder.js';
import type { PrefixRange } from '../../../src/reduce/prefix.js';
import { Stages } from '../../../src/reduce/stages.js';
import { ReceiveLog } from '../../../src/replication/receive-log.js';
import { Session, type SessionHost } from '../../../src/replication/session.js';
import type { MemoryJournal } from './memory-journal.js';
import type { Tally } from './tally.js';
import type { Wire } from './wire.js';

/** The receiver of a run: its log and its sessions are the real ones. */

export interface ReceivingOptions {
  journal: MemoryJournal;
  capability: Capability;
  tally: Tally;
  /** Has nothing in it: the log looks there for what it was bound to. */
  dir: string;
  /** The record that was sent under a number. */
  sent: (sequence: number) => JournalRecord | undefined;
  /** Where the history starts that a batch from this record on may refer to. */
  reachOf: (first: number) => number;
  /** A batch is logged. */
  onBatch: () => void;
}

export class ReceivingEnd {
  readonly #o: ReceivingOptions;
  #log: ReceiveLog | undefined;
  #sessions: Session[] = [];

  constructor(options: ReceivingOptions) {
    this.#o = options;
    options.journal.onReplicated = (record) => this.#compare(record);
  }

  /** The process begins: nothing of an earlier one is left but its journal. */
  async start(): Promise<void> {
    const { journal, dir } = this.#o;
    this.#sessions = [];
    const limits = { queueBytesMax: 2 ** 30, historyBytes: journal.historyBytes };
    const hooks = { onApplied: () => {}, onStall: () => {} };
    // It has all that a log uses of one as long as nothing is applied.
    this.#log = await ReceiveLog.open(dir, journal as unknown as Journal, limits, hooks);
  }

  accept(wire: Wire): Session {
    const log = this.#log as ReceiveLog;
    const { tally, capability, onBatch, journal, reachOf } = this.#o;
    const others = [...this.#sessions];
    const decoder = new WatchedDecoder(watched(log, journal, tally), capability, tally, reachOf);
    const host: SessionHost = {
      node: 'bb'.repeat(16),
      adopt: false,
      log,
      decoder,
      offer: () => capability,
      claim: async () => {
        await Promise.all(others.map((session) => session.idle()));
      },
      query: () => {
        throw new Error('nobody asks');
      },
      onOpen: () => tally.count('sessions'),
      onBatch,
      onMiss: () => tally.count('misses'),
      onFailure: (failure) => tally.problem(`the log failed: ${failure.message}`),
    };
    const session = new Session(wire.receiver, host);
    this.#sessions.push(session);
    void wire.over
      .then(() => session.idle())
      .then(() => {
        decoder.close();
        this.#sessions = this.#sessions.filter((one) => one !== session);
      });
    return session;
  }

  #compare(record: JournalRecord): void {
    const { sent, tally } = this.#o;
    const original = sent(record.sequence);
    tally.count('records');
    tally.count('payload bytes', record.payload.byteLength);
    const [is, was] = [record, original].map((one) => one && describe(one));
    const same = was !== undefined && is === was && record.payload.equals((original as JournalRecord).payload);
    tally.expect(same, () => `record ${record.sequence} was logged as ${is}, and sent as ${was}, or other bytes`);
  }
}

function describe({ sequence, kind, epoch, timestamp, key, offset, payload }: JournalRecord): string {
  return [sequence, kind, epoch, timestamp, key?.toString('hex'), offset, payload.byteLength].join(' ');
}

/** Every reference lies where the receiver keeps it. */
function watched(log: ReceiveLog, journal: MemoryJournal, tally: Tally): HistorySource {
  const check = (what: string, sequence: number) => {
    // Where the disk was short, the journal has moved on by itself.
    const isKept = sequence >= journal.keptFrom || sequence < journal.first;
    tally.expect(isKept, () => `${what} ${sequence}, and from ${journal.keptFrom} on was kept`);
  };
  return {
    payloads: (ranges: readonly PrefixRange[], bytesMax: number) => {
      for (const { from } of ranges) check('a prefix from', from);
      tally.count('frames with a prefix');
      return log.payloads(ranges, bytesMax);
    },
    parts: (ranges: readonly PayloadRange[]) => {
      for (const { sequence } of ranges) check('a base of', sequence);
      tally.count('bases before their batch', ranges.length);
      return log.parts(ranges);
    },
  };
}

class WatchedDecoder extends Decoder {
  readonly #tally: Tally;
  readonly #reachOf: (first: number) => number;

  constructor(history: HistorySource, capability: Capability, tally: Tally, reachOf: (first: number) => number) {
    super(new Stages(), history, capability);
    this.#tally = tally;
    this.#reachOf = reachOf;
  }

  override async decode(body: Buffer): Promise<RestoredBatch> {
    const batch = await super.decode(body);
    const first = batch.records[0]?.sequence ?? 0;
    const last = first + batch.records.length - 1;
    this.#tally.count('bases', batch.bases.length);
    const reach = this.#reachOf(first);
    this.#tally.expect(
      batch.floor >= Math.min(reach, last + 1),
      () => `floor ${batch.floor}, of a batch from ${first} on with a history from ${reach} on`,
    );
    for (const { sequence } of batch.bases) {
      this.#tally.expect(
        sequence >= batch.floor && sequence < last,
        () => `a base of ${sequence}, of a batch up to ${last} with floor ${batch.floor}`,
      );
    }
    return batch;
  }
}
