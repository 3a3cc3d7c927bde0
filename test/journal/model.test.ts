import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SequenceGoneError } from '../../src/errors.js';
import type { AppendOptions, Journal } from '../../src/journal/journal.js';
import { rounds } from '../support/seed.js';
import { newDirectory, openJournal, SEGMENT_BYTES_MIN, VOLUME } from './harness.js';
import { MemoryDisk, type MemoryDiskOptions } from './memory-disk.js';

/**
 * Random operations against a plain list, on a disk in memory whose power is cut now and then. What was acknowledged
 * must be there; what was not may be, in order and without gaps. fast-check prints the seed of a failing run.
 */

interface Expected {
  payload: Buffer;
  kind: number;
  key: Buffer | undefined;
  offset: number | undefined;
}

type Operation =
  | { name: 'append'; sizes: number[]; o: AppendOptions }
  | { name: 'burst'; sizes: number[]; cutAfter: number }
  | { name: 'advance'; cursor: string; by: number }
  | { name: 'catchUp' }
  | { name: 'drop'; cursor: string }
  | { name: 'read'; from: number; recordsMax: number }
  | { name: 'reset'; base: number }
  | { name: 'reopen'; segmentBytes: number }
  | { name: 'cut'; after: number; processOnly: boolean };

const size = fc.oneof(
  { weight: 8, arbitrary: fc.nat(200) },
  { weight: 3, arbitrary: fc.nat(20_000) },
  { weight: 1, arbitrary: fc.nat(90_000) },
);
const sizes = fc.array(size, { minLength: 1, maxLength: 6 });
const o = fc.record(
  {
    kind: fc.nat(255),
    key: fc.oneof(fc.string({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 })),
    offset: fc.maxSafeNat(),
  },
  { requiredKeys: [] },
);
const cursor = fc.constantFrom('a', 'b', 'c/d');
const segmentBytes = fc.integer({ min: SEGMENT_BYTES_MIN, max: 300_000 });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ name: fc.constant('append' as const), sizes, o }) },
  { weight: 2, arbitrary: fc.record({ name: fc.constant('burst' as const), sizes, cutAfter: fc.nat(12) }) },
  { weight: 4, arbitrary: fc.record({ name: fc.constant('advance' as const), cursor, by: fc.nat(20) }) },
  { weight: 4, arbitrary: fc.record({ name: fc.constant('catchUp' as const) }) },
  { weight: 1, arbitrary: fc.record({ name: fc.constant('drop' as const), cursor }) },
  {
    weight: 3,
    arbitrary: fc.record({
      name: fc.constant('read' as const),
      from: fc.nat(30),
      recordsMax: fc.integer({ min: 1, max: 9 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ name: fc.constant('reset' as const), base: fc.integer({ min: 1, max: 1e9 }) }) },
  { weight: 2, arbitrary: fc.record({ name: fc.constant('reopen' as const), segmentBytes }) },
  {
    weight: 2,
    arbitrary: fc.record({ name: fc.constant('cut' as const), after: fc.nat(40), processOnly: fc.boolean() }),
  },
);

class Model {
  base = 1;
  records: Expected[] = [];
  /** The newest record that was acknowledged. */
  acknowledged = 0;
  cursors = new Map<string, number>();
  /** The highest number that all cursors had passed at some time: what lies above is never freed. */
  released = 0;

  noteReleased(): void {
    if (this.cursors.size > 0) this.released = Math.max(this.released, Math.min(...this.cursors.values()));
  }

  get last(): number {
    return this.base - 1 + this.records.length;
  }
}

class Run {
  readonly model = new Model();
  private readonly dir = newDirectory();
  private segmentBytes = SEGMENT_BYTES_MIN;
  private fill = 0;
  private resetTo: number | undefined;
  /** Whether the next cut ends the process only, so that nothing is lost that was written. */
  private processOnly = false;
  /** How many segments were made from the file of an older one. */
  recycled = 0;
  journal!: Journal;
  private readonly disk: MemoryDisk;

  constructor(
    private readonly o: RunOptions,
    private readonly random: () => boolean,
  ) {
    this.disk = new MemoryDisk(o);
    this.disk.onOperation = (operation) => {
      if (operation.kind === 'rename' && operation.from.endsWith('.spare')) this.recycled++;
    };
  }

  async open(): Promise<void> {
    this.journal = await openJournal({
      dir: this.dir,
      fs: this.disk.fs,
      volume: VOLUME,
      durability: this.o.durability,
      historyBytes: this.o.historyBytes,
      segmentBytes: this.segmentBytes,
    });
  }

  async do(operation: Operation): Promise<void> {
    const { journal, model } = this;
    switch (operation.name) {
      case 'append': {
        const first = await this.append(operation.sizes, operation.o);
        expect(first).toBe(journal.last);
        break;
      }
      case 'burst':
        await this.burst(operation.sizes, operation.cutAfter);
        break;
      case 'advance':
        await this.advance(operation.cursor, (model.cursors.get(operation.cursor) ?? 0) + operation.by);
        break;
      case 'catchUp':
        await this.advance('a', model.last);
        for (const name of model.cursors.keys()) await this.advance(name, model.last);
        break;
      case 'drop':
        await journal.dropCursor(operation.cursor);
        model.cursors.delete(operation.cursor);
        break;
      case 'read':
        await this.check(Math.min(journal.first + operation.from, model.last + 1), operation.recordsMax);
        break;
      case 'reset':
        this.resetTo = operation.base;
        await journal.reset(operation.base, BigInt(operation.base));
        this.resetDone(operation.base);
        break;
      case 'reopen':
        this.segmentBytes = operation.segmentBytes;
        await journal.close();
        await this.open();
        break;
      case 'cut':
        this.disk.cutAfter(operation.after);
        this.processOnly = operation.processOnly;
        break;
    }
  }

  /** Does it; if the power went meanwhile, turns it on again and settles what the model could not know. */
  async step(operation: Operation): Promise<void> {
    const cursorsBefore = new Map(this.model.cursors);
    try {
      await this.do(operation);
    } catch (error) {
      if (!this.disk.dead) throw error;
    }
    if (!this.disk.dead) {
      this.resetTo = undefined;
      this.model.noteReleased();
      return;
    }
    await this.journal.close().catch(() => {});
    if (this.processOnly || !this.o.powerCuts) this.disk.revive();
    else this.disk.restart(this.random);
    this.processOnly = false;
    await this.open();
    this.settle(operation, cursorsBefore);
    await this.check(this.journal.first, 4096);
  }

  /** A cut that is still to come does not come any more. */
  async finish(): Promise<void> {
    this.disk.cutAfter(Number.POSITIVE_INFINITY);
    await this.check(this.journal.first, 4096);
    await this.journal.close();
  }

  private async append(sizesOf: number[], options: AppendOptions): Promise<number> {
    const payloads = sizesOf.map((bytes) => Buffer.alloc(bytes, ++this.fill));
    const key = options.key === undefined ? undefined : Buffer.from(options.key as string);
    for (const payload of payloads) {
      this.model.records.push({ payload, kind: options.kind ?? 0, key, offset: options.offset });
    }
    const last = await this.journal.appendMany(payloads, options);
    this.model.acknowledged = Math.max(this.model.acknowledged, last);
    return last;
  }

  /** Several appends at once, with a power cut somewhere in between if the number is small. */
  private async burst(sizesOf: number[], cutAfter: number): Promise<void> {
    if (cutAfter < 6) this.disk.cutAfter(cutAfter);
    const results = await Promise.allSettled(sizesOf.map((bytes) => this.append([bytes, bytes], {})));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  private async advance(cursor: string, to: number): Promise<void> {
    const { model } = this;
    const position = Math.min(model.last, to);
    await this.journal.cursor(cursor).advance(position);
    model.cursors.set(cursor, Math.max(position, model.cursors.get(cursor) ?? 0));
  }

  private resetDone(base: number): void {
    const { model } = this;
    model.base = base;
    model.records = [];
    model.acknowledged = base - 1;
    model.released = 0;
    for (const name of model.cursors.keys()) model.cursors.set(name, base - 1);
    this.resetTo = undefined;
  }

  private settle(operation: Operation, cursorsBefore: Map<string, number>): void {
    const { journal, model } = this;
    const { resetTo } = this;
    // A reset that was cut off has happened or not; an equal number is told apart by the chain.
    if (resetTo !== undefined && journal.last === resetTo - 1 && journal.lastChain === BigInt(resetTo))
      this.resetDone(resetTo);
    this.resetTo = undefined;
    expect(journal.last).toBeGreaterThanOrEqual(model.acknowledged);
    expect(journal.last).toBeLessThanOrEqual(model.last);
    model.records.length = journal.last - model.base + 1;
    model.acknowledged = journal.last;
    const now = new Map(journal.cursors().map(({ name, position }) => [name, position]));
    for (const [name, position] of cursorsBefore) {
      const dropping = operation.name === 'drop' && operation.cursor === name;
      if (operation.name === 'reset' || dropping) continue;
      expect(now.get(name), name).toBeGreaterThanOrEqual(position);
    }
    for (const position of now.values()) expect(position).toBeLessThanOrEqual(journal.last);
    model.cursors = now;
    model.noteReleased();
  }

  async check(from: number, recordsMax: number): Promise<void> {
    try {
      await this.readFrom(from, recordsMax);
    } catch (error) {
      // Freed under the reader's feet, in the background; then what is left must do.
      if (!(error instanceof SequenceGoneError) || this.journal.first <= from) throw error;
      await this.check(this.journal.first, recordsMax);
    }
  }

  private async readFrom(from: number, recordsMax: number): Promise<void> {
    const { journal, model } = this;
    expect(journal).toMatchObject({ last: model.last, assigned: model.last });
    let next = from;
    let chain = await journal.chainAt(from - 1);
    for await (const batch of journal.readBatches(from, { batchRecordsMax: recordsMax })) {
      expect(batch.length).toBeLessThanOrEqual(recordsMax);
      for (const record of batch) {
        const expected = model.records[next - model.base];
        expect(record.sequence).toBe(next);
        expect(record.payload.equals(expected?.payload ?? Buffer.from('missing'))).toBe(true);
        expect([record.kind, record.key, record.offset]).toEqual([expected?.kind, expected?.key, expected?.offset]);
        expect(record.chain).not.toBe(chain);
        chain = record.chain;
        next++;
      }
    }
    expect(next).toBe(model.last + 1);
    expect(chain).toBe(journal.lastChain);
    expect(new Map(journal.cursors().map(({ name, position }) => [name, position]))).toEqual(model.cursors);
    expect(journal.first).toBeLessThanOrEqual(Math.max(model.base, model.released + 1));
  }
}

interface RunOptions extends MemoryDiskOptions {
  durability: 'group' | 'none';
  historyBytes: number;
  /** Whether the power is cut now and then; otherwise the process ends and what it wrote stays. */
  powerCuts: boolean;
}

interface Seen {
  recycled: number;
}

function property(fixed: Pick<RunOptions, 'durability' | 'powerCuts'>, seen: Seen = { recycled: 0 }) {
  const operations = fc.array(operation, { maxLength: 40, size: 'max' });
  const options = fc.record({
    historyBytes: fc.constantFrom(0, 0, 100_000),
    preallocate: fc.boolean(),
    writeDurable: fc.boolean(),
  });
  return fc.asyncProperty(operations, options, fc.infiniteStream(fc.boolean()), async (list, varied, coins) => {
    const run = new Run({ ...fixed, ...varied }, () => coins.next().value ?? true);
    await run.open();
    for (const each of list) await run.step(each);
    await run.finish();
    seen.recycled += run.recycled;
  });
}

test('the journal does what a list would, through reopens and power cuts', async () => {
  const seen = { recycled: 0 };
  await fc.assert(property({ durability: 'group', powerCuts: true }, seen), { numRuns: rounds(200) });
  expect(seen.recycled).toBeGreaterThan(20);
});

test("so it does with durability 'none' when nothing but the process ends", async () => {
  const seen = { recycled: 0 };
  await fc.assert(property({ durability: 'none', powerCuts: false }, seen), { numRuns: rounds(150) });
  expect(seen.recycled).toBeGreaterThan(20);
});

test('the canary: without syncs the same runs find lost records', async () => {
  const runs = { numRuns: 150, endOnFailure: true };
  const { failed } = await fc.check(property({ durability: 'none', powerCuts: true }), runs);
  expect(failed).toBe(true);
});
