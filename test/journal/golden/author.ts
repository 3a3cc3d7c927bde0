import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { checksum64 } from '../../../src/engine/checksum.js';
import { type AppendOptions, Journal, type JournalRecord } from '../../../src/journal/journal.js';
import { chainBehind } from '../chain.js';
import { type Expected, expectedOf } from './expected.js';
import { FailingFileSystem } from './failing.js';

const START = 1_700_000_000_000_000;

/** Writes a golden journal, and keeps apart from it what was appended. */
export class Author {
  private readonly records: JournalRecord[] = [];
  private now = START;
  private epoch = 1;
  private journal!: Journal;
  private readonly disk = new FailingFileSystem();

  private constructor(
    private readonly dir: string,
    private readonly volume: string,
  ) {}

  static async begin(dir: string, volume: string): Promise<Author> {
    rmSync(dir, { recursive: true, force: true });
    const author = new Author(dir, volume);
    author.journal = await author.open();
    return author;
  }

  async append(payload: Uint8Array, o: AppendOptions = {}): Promise<void> {
    await this.journal.append(payload, o);
    this.note([payload], o);
  }

  async appendMany(payloads: readonly Uint8Array[], o: AppendOptions = {}): Promise<void> {
    await this.journal.appendMany(payloads, o);
    this.note(payloads, o);
  }

  async advance(cursor: string, sequence: number): Promise<void> {
    await this.journal.cursor(cursor).advance(sequence);
  }

  /** Closes the journal and opens it again; whatever cursors let go of is free by then. */
  async reopen(epoch = this.epoch): Promise<void> {
    await this.journal.close();
    this.epoch = epoch;
    this.journal = await this.open();
  }

  /** Closes the journal. */
  async close(): Promise<void> {
    this.tell(this.dir);
    await this.journal.close();
  }

  /** Keeps the directory as it would be if the process were killed now. */
  async kill(copy: string): Promise<void> {
    this.copy(copy);
    this.tell(copy);
    await this.journal.close();
  }

  /** Cuts the journal, and keeps the directory as it is when it was decided and no more. */
  async killInCut(sequence: number, copy: string): Promise<void> {
    await this.disk.failBehind('truncate', () => this.journal.truncateAfter(sequence));
    this.copy(copy);
    this.tell(copy, { last: sequence });
    await this.journal.close();
  }

  /** Resets the journal, and keeps the directory as it is when it was decided and no more. */
  async killInReset(base: number, chain: bigint, copy: string): Promise<void> {
    await this.disk.failBehind('reset', () => this.journal.reset(base, chain));
    this.copy(copy);
    this.tell(copy, { first: base, last: base - 1 });
    await this.journal.close();
  }

  private copy(to: string): void {
    rmSync(to, { recursive: true, force: true });
    cpSync(this.dir, to, { recursive: true, filter: (path) => !/\/lock[^/]*$/.test(path) });
  }

  private open(): Promise<Journal> {
    const { dir, volume, epoch } = this;
    // Without preallocation files are no longer than what is in them, and the same on every system.
    const options = { segmentBytes: 64 * 1024, historyBytes: 0, scrubBytesPerSecond: 0, fs: this.disk.fs };
    return Journal.open({ dir, volume, epoch, ...options, now: () => ++this.now });
  }

  private note(payloads: readonly Uint8Array[], { kind = 0, key, offset }: AppendOptions): void {
    for (const bytes of payloads) {
      const payload = Buffer.from(bytes);
      const before = this.records.at(-1);
      const record: JournalRecord = {
        sequence: (before?.sequence ?? 0) + 1,
        epoch: this.epoch,
        kind,
        timestamp: this.now,
        ...(key === undefined ? {} : { key: Buffer.from(key as string) }),
        ...(offset === undefined ? {} : { offset }),
        payload,
        checksum: checksum64(payload),
        chain: 0n,
      };
      record.chain = chainBehind(before?.chain ?? 0n, record);
      this.records.push(record);
    }
  }

  /** Writes down what the journal holds. */
  private tell(dir: string, o: { first?: number; last?: number } = {}): void {
    const { journal, volume } = this;
    const { first = journal.first, last = journal.last } = o;
    const records = this.records.filter(({ sequence }) => sequence >= first && sequence <= last).map(expectedOf);
    const cursors = journal.cursors().map(({ name, position }) => {
      return { name, position: o.first === undefined ? Math.min(position, last) : last };
    });
    const expected: Expected = { volume, records, cursors };
    writeFileSync(`${dir}.json`, `${JSON.stringify(expected, undefined, 2)}\n`);
  }
}
