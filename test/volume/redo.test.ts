import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Journal, type JournalRecord, Sender, Volume } from '../../src/index.js';
import { Applier } from '../../src/volume/applier.js';
import { Aside } from '../../src/volume/aside.js';
import { Catalog } from '../../src/volume/catalog.js';
import { Tree } from '../../src/volume/tree.js';
import { Root } from '../../src/volume/walk.js';
import { letFilesSettle } from '../support/clock.js';
import { compareTrees } from '../support/compare.js';
import { mutate } from '../support/mutations.js';
import { randomFor, rounds, SEED } from '../support/seed.js';
import { newDirectory } from '../support/temp.js';
import { makeRandomTree } from '../support/tree.js';

/**
 * A replica that is killed does again what it had done since its last durable position. Whatever that was, the outcome
 * must be the same. Here the records come from a real volume, and the replica is a bare Applier.
 */

/** How long a position takes to get to the disk: longer than the work of a window. */
const SYNC_MS = 4;
const NOBODY = { name: 'nobody', host: '127.0.0.1', port: 9 };

/** Records of a first copy and of some changes after it, each followed by a sync. */
async function recordChanges(dir: string, changes: ((source: string) => void)[], shape: (source: string) => void) {
  const source = join(dir, 'source');
  mkdirSync(source);
  shape(source);
  const sender = await Sender.open({ dir: join(dir, 'sender'), peers: [NOBODY] });
  const volume = await Volume.open({ root: source, sender, allowMassDelete: true });
  await volume.sync();
  const copied = sender.status().appended;
  spawnSync('cp', ['-a', source, join(dir, 'before')]);
  let moved = 0;
  for (const change of changes) {
    change(source);
    moved += (await volume.sync()).moved;
  }
  await volume.close();
  await sender.close();
  const journal = await Journal.open({ dir: join(dir, 'sender', 'queue') });
  const records: JournalRecord[] = [];
  for await (const record of journal.read(1)) records.push(record);
  await journal.close();
  return { source, moved, first: records.slice(0, copied), later: records.slice(copied) };
}

/** A process that applies records until it dies. */
class Life {
  /** The position that is on disk. */
  durable: number;
  readonly #applier: Applier;

  private constructor(applier: Applier, durable: number) {
    this.#applier = applier;
    this.durable = durable;
  }

  static async begin(dir: string, root: string, durable: number): Promise<Life> {
    const aside = await Aside.open(dir, root, 'mark');
    await aside.clear(true);
    await aside.prepare();
    return new Life(new Applier(new Tree(new Root(root)), aside, await Catalog.open(join(dir, 'catalog'))), durable);
  }

  get missed(): number {
    return this.#applier.missed;
  }

  /** Applies records, and is killed after the last of them, before its position is on disk. */
  async apply(records: JournalRecord[]): Promise<void> {
    const rest = records.filter(({ sequence }) => sequence > this.durable);
    await this.#applier.apply(rest, async (sequence) => {
      await setTimeout(SYNC_MS);
      this.durable = sequence;
    });
    this.#applier.close();
  }
}

/** Kills a replica after every possible number of records; returns what went wrong. */
async function killEverywhere(dir: string, then: JournalRecord[], source: string): Promise<string[]> {
  const wrong: string[] = [];
  const base = (then[0]?.sequence ?? 1) - 1;
  for (let count = 0; count <= then.length; count++) {
    const root = join(dir, `replica-${count}`);
    const state = join(dir, `state-${count}`);
    mkdirSync(state);
    spawnSync('cp', ['-a', join(dir, 'before'), root]);
    const first = await Life.begin(state, root, base);
    await first.apply(then.slice(0, count));
    const second = await Life.begin(state, root, first.durable);
    await second.apply(then);
    wrong.push(...compareTrees(source, root).map((line) => `killed after ${count} of ${then.length}: ${line}`));
    if (second.missed > 0) wrong.push(`killed after ${count}: ${second.missed} operations missed`);
  }
  return wrong;
}

describe('doing it again after kill -9 gives the same replica', () => {
  test('two files of one size and time that swapped names', async () => {
    letFilesSettle();
    const dir = newDirectory();
    const shape = (source: string) => spawnSync('bash', ['-ec', SWAP_BEFORE, 'bash', source]);
    const change = (source: string) => spawnSync('bash', ['-ec', SWAP_AFTER, 'bash', source]);
    const { source, later, moved } = await recordChanges(dir, [change], shape);
    expect(moved).toBe(4);
    expect(await killEverywhere(dir, later, source)).toEqual([]);
  });

  test('two swaps, one after the other, that go by a stash of the same number', async () => {
    letFilesSettle();
    const dir = newDirectory();
    const shape = (source: string) => spawnSync('bash', ['-ec', SWAP_BEFORE, 'bash', source]);
    const swap = (one: string, other: string) => (source: string) =>
      spawnSync('bash', ['-ec', SWAP, 'bash', source, one, other]);
    const { source, later, moved } = await recordChanges(dir, [swap('a', 'b'), swap('c', 'd')], shape);
    expect(moved).toBe(4);
    expect(await killEverywhere(dir, later, source)).toEqual([]);
  });

  test('random changes', async () => {
    letFilesSettle();
    for (let round = 1; round <= rounds(3); round++) {
      const random = randomFor(300 + round);
      const dir = newDirectory();
      let story: string[] = [];
      const { source, later } = await recordChanges(dir, [(root) => (story = mutate(root, random, 8))], (root) =>
        makeRandomTree(root, random, { entries: 25, fileBytesMax: 30_000 }),
      );
      const wrong = await killEverywhere(dir, later, source);
      expect(wrong, `LONGHAUL_SEED=${SEED}, round ${round}:\n${story.join('\n')}`).toEqual([]);
    }
  }, 600_000);
});

const SWAP_BEFORE = `cd "$1"; for name in a b c d; do echo "content $name" > $name; touch -d @1000000000 $name; done`;
const SWAP = `cd "$1"; mv $2 x; mv $3 $2; mv x $3`;
/** A swap, and a chain at whose beginning a new file appears that looks like the one that left. */
const SWAP_AFTER = `cd "$1"; mv a x; mv b a; mv x b; mv d e; mv c d; echo "content C" > c; touch -d @1000000000 c`;
