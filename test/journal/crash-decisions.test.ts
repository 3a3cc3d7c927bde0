import { expect, test } from 'vitest';
import { Journal } from '../../src/journal/journal.js';
import { collect, newDirectory, SEGMENT_BYTES_MIN } from './harness.js';
import { MemoryDisk } from './memory-disk.js';

/**
 * A decision is a name in a directory. When the process ends before the directory is synced, the next open finds it, and
 * a power cut may take it back: nothing that follows from it may be on the disk by then.
 */

const RECORDS = 6;
const CURSOR_AT = 4;
/** Of the calls of a recovery, every so many are tried, others each time. */
const STRIDE = 5;

const decisions = [
  ['a reset', (journal: Journal) => journal.reset(1000, 7n), 999],
  ['a cut', (journal: Journal) => journal.truncateAfter(2), 2],
] as const;

/** Tries numbers of calls that some work may take, until one is enough. */
async function atEachCall(first: number, stride: number, work: (calls: number) => Promise<boolean>): Promise<number> {
  for (let calls = first; ; calls += stride) if (await work(calls)) return calls;
}

test.each(decisions)(
  '%s: the process ends after each call, the power fails after each call of the recovery',
  async (_, decide, last) => {
    const dir = newDirectory();
    const open = (disk: MemoryDisk) => Journal.open({ dir, segmentBytes: SEGMENT_BYTES_MIN, fs: disk.fs });
    const whole = new MemoryDisk();
    const journal = await open(whole);
    for (let index = 0; index < RECORDS; index++) await journal.append(Buffer.alloc(25_000, index));
    await journal.cursor('peer').advance(CURSOR_AT);
    await journal.close();

    const ended = async (calls: number): Promise<boolean> => {
      const disk = whole.fork();
      const held = await open(disk);
      disk.cutAfter(calls);
      const done = await decide(held).then(
        () => true,
        () => false,
      );
      await held.close().catch(() => {});
      await atEachCall(calls % STRIDE, STRIDE, async (more) => {
        const left = disk.fork();
        left.cutAfter(more);
        const recovered = await open(left).catch(() => undefined);
        await recovered?.close().catch(() => {});
        const enough = !left.dead;
        // Whatever name was not synced is lost, and every byte that was written is there.
        left.restart(() => false);
        const again = await open(left);
        const name = `ended after ${calls} calls, power cut after ${more}`;
        expect([RECORDS, last], name).toContain(again.last);
        if (recovered !== undefined) expect(again.last, name).toBe(recovered.last);
        const kept = again.last === RECORDS ? CURSOR_AT : Math.min(last, last === 999 ? 999 : CURSOR_AT);
        expect(again.cursor('peer').position, name).toBe(kept);
        expect((await collect(again.read(again.first))).length, name).toBe(again.last - again.first + 1);
        await again.close();
        return enough;
      });
      return done;
    };
    expect(await atEachCall(0, 1, ended)).toBeGreaterThan(10);
  },
);
