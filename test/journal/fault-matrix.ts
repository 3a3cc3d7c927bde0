import { expect } from 'vitest';
import { Random } from '../../fuzz/random.js';
import { LonghaulError } from '../../src/errors.js';
import { Journal, type JournalOptions } from '../../src/journal/journal.js';
import { SEED } from '../support/seed.js';
import { type FaultCode, type FaultDepth, FaultyFileSystem } from './faults.js';
import { collect, counterClock, newDirectory, SEGMENT_BYTES_MIN } from './harness.js';
import { MemoryDisk } from './memory-disk.js';
import { readSides, straySides } from './side-content.js';

/**
 * Something that a journal does, once for each call that it makes of the disk, and that call fails. Everyone who waits is
 * told why, a broken journal stays broken, and the next open finds what was acknowledged: after the process alone has
 * ended, after a power cut, and after a power cut that follows the next open.
 */

export interface Scenario {
  options?: Partial<JournalOptions>;
  /** What the journal holds when it begins. */
  prepare?: (journal: Journal, disk: MemoryDisk) => Promise<unknown>;
  /** Whether it is opened within the work, from a disk that its process left without closing it. */
  opens?: boolean;
  /** The work. What it appends has the payloads that `payloadOf` tells. */
  act?: (journal: Journal) => Promise<unknown>[];
  /** What the last record may be beside those appended: after a cut or a reset. */
  lastAfter?: number;
  /** Whether the work ends with a clean close. */
  closes?: boolean;
  /** The calls that may fail and leave no trace: they are made only for speed, or for what the journal can do without. */
  mayGoUnnoticed?: RegExp;
}

export const RECORD_BYTES = 12_000;

export function payloadOf(sequence: number, bytes = RECORD_BYTES): Buffer {
  return Buffer.alloc(bytes, `record ${sequence} `);
}

/** Appends so many records, each one a call, all at once. */
export function appends(journal: Journal, count: number, bytes = RECORD_BYTES): Promise<number>[] {
  return Array.from({ length: count }, () => journal.append(payloadOf(journal.assigned + 1, bytes)));
}

/** Those that no later call may get through once the journal is broken. */
const CHANGES = /^(rename|unlink|mkdir|preallocate|write|file\.(write|truncate|preallocate))/;

interface Kept {
  last: number;
  position: number;
}

/** Calls that can fail after they have done something. */
const DOES_SOMETHING = /^(rename|unlink|mkdir|file\.(sync|datasync|write|truncate|preallocate))/;

/** Fails each call in turn, where it can have done something if it is to have done that; returns how many there are. */
export async function failEachCall(scenario: Scenario, code: FaultCode, depth: FaultDepth): Promise<number> {
  const dir = newDirectory();
  const start = new MemoryDisk({ preallocate: true, writeZeros: true, writeDurable: true });
  const kept = await prepared(scenario, dir, start);
  const strikes = (call: string) => depth !== 'all' || DOES_SOMETHING.test(call);
  for (let target = 0; ; target++) {
    const attempt = new Attempt(scenario, dir, start.fork(), { ...kept }, { target, code, depth, strikes });
    if (!(await attempt.run())) return target;
  }
}

/** Lets what is under way come to its end; the disk in memory takes no longer. */
function calm(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function openOn(scenario: Scenario, dir: string, fs: NonNullable<JournalOptions['fs']>): Promise<Journal> {
  const options = { segmentBytes: SEGMENT_BYTES_MIN, historyBytes: 0, now: counterClock(), ...scenario.options };
  return Journal.open({ dir, fs, ...options });
}

async function prepared(scenario: Scenario, dir: string, disk: MemoryDisk): Promise<Kept> {
  if (scenario.prepare === undefined) return { last: 0, position: 0 };
  const journal = await openOn(scenario, dir, disk.fs);
  await scenario.prepare(journal, disk);
  const kept = { last: journal.last, position: journal.cursors()[0]?.position ?? 0 };
  if (scenario.opens) disk.cutAfter(0);
  await journal.close().catch(() => {});
  disk.revive();
  return kept;
}

class Attempt {
  private readonly faulty: FaultyFileSystem;
  private armed = false;
  private readonly name: string;

  constructor(
    private readonly scenario: Scenario,
    private readonly dir: string,
    private readonly disk: MemoryDisk,
    private readonly kept: Kept,
    private readonly fault: {
      target: number;
      strikes: (call: string) => boolean;
      code: FaultCode;
      depth: FaultDepth;
    },
  ) {
    let calls = 0;
    const strikes = (_: number, call: string) => this.armed && fault.strikes(call) && calls++ === fault.target;
    this.faulty = new FaultyFileSystem(strikes, fault.code, fault.depth, disk.fs);
    this.name = `call ${fault.target} fails with ${fault.code}, having done ${fault.depth}, seed ${SEED}`;
  }

  /** False when the work needs fewer calls than that. */
  async run(): Promise<boolean> {
    const { scenario, faulty } = this;
    this.armed = scenario.opens === true;
    const journal = await openOn(scenario, this.dir, faulty.fs).catch((error: unknown) => this.expectCause(error));
    if (journal instanceof Journal) await this.work(journal);
    expect(faulty.openFiles, this.where()).toBe(0);
    // Each comes to each kind of call.
    await this.reopen(this.fault.target % 2 === 0 ? 'process' : 'power');
    return faulty.struck;
  }

  private where(): string {
    const call = this.faulty.calls[this.faulty.calls.length - 1 - this.faulty.callsAfterFault.length];
    return this.faulty.struck ? `${this.name}: ${call}` : this.name;
  }

  private async work(journal: Journal): Promise<void> {
    const { scenario, faulty, kept } = this;
    const follower = collect(journal.read(journal.last + 1, { follow: true }));
    const ended = follower.catch((error: unknown) => error);
    journal.onDurable((last) => {
      kept.last = last;
    });
    this.armed = true;
    const results = await Promise.allSettled(scenario.act?.(journal) ?? []);
    const rejected = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
    for (const error of rejected) this.expectCause(error);
    const cursor = journal.cursors()[0];
    if (cursor !== undefined && scenario.lastAfter === undefined) kept.position = cursor.position;
    await calm();
    this.armed = false;
    const { broken } = journal.status();
    if (scenario.closes) expect(rejected.length > 0, this.where()).toBe(faulty.struck);
    else if (broken !== undefined) {
      await this.expectBroken(journal);
      // A reader that had all there was is told; one that was taken back by a cut or a reset ends with that.
      expect(await ended, this.where()).toBeInstanceOf(LonghaulError);
    } else if (rejected.length > 0 || (faulty.struck && scenario.mayGoUnnoticed?.test(this.where()))) {
      // Refused before anything was changed, or no matter: the journal goes on.
      expect(await journal.append(payloadOf(journal.last + 1)), this.where()).toBe(journal.last);
    } else if (faulty.struck) {
      // Where there is not as much room as was wanted, what is needed may still fit.
      expect(this.where()).toMatch(/ENOSPC.*: (file\.)?preallocate/);
    }
    await journal.close().catch((error: unknown) => this.expectCause(error));
    await ended;
  }

  /** Whoever is refused is told what failed first. */
  private expectCause(error: unknown): void {
    expect(error, this.where()).toBeInstanceOf(LonghaulError);
    let root = error as { code?: string; cause?: unknown };
    expect(['JOURNAL_BROKEN', 'DISK_FULL', 'STORAGE_FAILED'], this.where()).toContain(root.code);
    while (root.cause !== undefined) root = root.cause as typeof root;
    expect(root.code, `${this.where()}: ${String(error)}`).toBe(this.fault.code);
  }

  /** Nothing gets through any more, each time for the same reason. */
  private async expectBroken(journal: Journal): Promise<void> {
    const { calls } = this.faulty;
    const before = calls.length;
    const later = [
      () => journal.append(payloadOf(1)),
      () => journal.append(payloadOf(1)),
      () => journal.appendMany([payloadOf(1), payloadOf(2)]),
      async () => journal.cursor('another'),
      async () => journal.cursors()[0]?.advance(journal.last) ?? journal.append(payloadOf(1)),
      () => journal.dropCursor('peer'),
      () => journal.reset(5000, 1n),
      () => journal.truncateAfter(journal.last),
    ];
    for (const call of later) {
      const error: unknown = await call().catch((reason: unknown) => reason);
      expect(error, this.where()).toMatchObject({ code: 'JOURNAL_BROKEN' });
      this.expectCause(error);
    }
    expect(
      calls.slice(before).filter((call) => CHANGES.test(call)),
      this.where(),
    ).toEqual([]);
  }

  private async reopen(after: 'process' | 'power'): Promise<void> {
    const random = new Random((SEED ^ this.fault.target) >>> 0);
    const coin = () => random.chance(0.5);
    const disk = this.disk.fork();
    if (after === 'power') disk.restart(coin);
    const journal = await openOn(this.scenario, this.dir, disk.fs);
    const { last } = journal;
    await this.check(journal, after);
    expect(straySides(journal, disk.list(this.dir).keys()), this.where()).toEqual([]);
    // What it showed is on the disk, whatever the memory of the machine held of it before.
    const left = disk.fork();
    await journal.close();
    left.restart(coin);
    const again = await openOn(this.scenario, this.dir, left.fs);
    expect(again.last, `${this.where()}, ${after}, then a power cut`).toBe(last);
    await this.check(again, after);
    expect(await again.append(payloadOf(last + 1))).toBe(last + 1);
    await again.close();
  }

  private async check(journal: Journal, after: string): Promise<void> {
    const where = `${this.where()}, ${after}`;
    const { first, last } = journal;
    const { lastAfter } = this.scenario;
    if (last !== lastAfter) expect(last, where).toBeGreaterThanOrEqual(this.kept.last);
    const records = await collect(journal.read(first));
    expect(
      records.map(({ sequence }) => sequence),
      where,
    ).toEqual(Array.from({ length: last - first + 1 }, (_, index) => first + index));
    for (const { sequence, payload } of records) {
      expect(payload.equals(payloadOf(sequence, payload.length)), `${where}: record ${sequence}`).toBe(true);
    }
    await readSides(journal);
    const cursor = journal.cursors()[0];
    if (cursor === undefined) return;
    expect(cursor.position, where).toBeLessThanOrEqual(last);
    expect(cursor.position, where).toBeGreaterThanOrEqual(Math.min(this.kept.position, last));
    expect(cursor.position, where).toBeGreaterThanOrEqual(first - 1);
  }
}
