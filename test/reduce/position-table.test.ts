import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Position, PositionTable } from '../../src/reduce/position-table.js';
import { randomFor, SEED } from '../support/seed.js';

const ENTRY_BYTES_MAX = 24;
const FIRST_ENTRIES = 64;

/** What a table should do, as plainly as it can be said. */
class Model {
  entries: { tag: number; position: Position }[] = [];

  constructor(private readonly entriesMax: number) {}

  add(tag: number, position: Position): void {
    this.entries.push({ tag, position });
    if (this.entries.length > this.entriesMax) this.entries.shift();
  }

  find(tag: number): Position | undefined {
    return this.entries.findLast((entry) => entry.tag === tag)?.position;
  }

  dropBefore(sequence: number): void {
    this.entries = this.entries.filter(({ position }) => position.sequence >= sequence);
  }

  dropFrom(sequence: number): void {
    this.entries = this.entries.filter(({ position }) => position.sequence < sequence);
  }
}

/** Tags whose homes lie at the end of the slots, at their start, and between, several in one place. */
const HOMES = [0, 1, 2 ** 31, 2 ** 32 - 3, 2 ** 32 - 2, 2 ** 32 - 1];
const TAGS = 24;
/** What undoes the multiplication of the lower half that says where a home is. */
const INVERSE = 0x0e8b_2f51;
const wordsOf = (tag: number): [number, number] => [
  Math.imul(HOMES[tag % HOMES.length] as number, INVERSE) >>> 0,
  Math.floor(tag / HOMES.length) * 0x9e37,
];

type Step = { add: number; ahead: number; offset: number; note: number } | { drop: number } | { rewind: number };

const steps = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        add: fc.nat(TAGS - 1),
        ahead: fc.oneof(fc.constant(0), fc.nat(3)),
        offset: fc.oneof(fc.nat(3), fc.nat(2 ** 24 - 1)),
        note: fc.nat(255),
      }),
    },
    { weight: 1, arbitrary: fc.record({ drop: fc.nat(12) }) },
    { weight: 1, arbitrary: fc.record({ rewind: fc.nat(3) }) },
  ),
  { maxLength: 200 },
) satisfies fc.Arbitrary<Step[]>;

describe('a table of positions', () => {
  test('does what a plain list would, also where its slots wrap around', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.constantFrom(1, 2 ** 32 - 20),
        steps,
        (entriesMax, base, list) => {
          const [table, model] = [new PositionTable(entriesMax), new Model(entriesMax)];
          let sequence = base;
          for (const step of list) {
            if ('drop' in step) {
              table.dropBefore(sequence - step.drop);
              model.dropBefore(sequence - step.drop);
            } else if ('rewind' in step) {
              table.dropFrom(sequence - step.rewind);
              model.dropFrom(sequence - step.rewind);
            } else {
              sequence += step.ahead;
              const position = { sequence, offset: step.offset, note: step.note };
              table.add(...wordsOf(step.add), position);
              model.add(step.add, position);
            }
            compare(table, model);
          }
        },
      ),
      { seed: SEED, numRuns: 300 },
    );
  });

  function compare(table: PositionTable, model: Model): void {
    expect(table.size).toBe(model.entries.length);
    for (let tag = 0; tag < TAGS; tag++) {
      expect(table.find(...wordsOf(tag))).toEqual(model.find(tag));
    }
  }

  test('grows to a million entries and takes 24 bytes for each at most, at any size', () => {
    const table = new PositionTable(2 ** 21);
    const random = randomFor(841);
    for (let count = 1; count <= 1_000_000; count++) {
      table.add(random.u32(), random.u32(), { sequence: count, offset: 0, note: 0 });
      if (count <= FIRST_ENTRIES || table.memoryBytes <= ENTRY_BYTES_MAX * count) continue;
      throw new Error(`${table.memoryBytes} bytes for ${count} entries`);
    }
    expect(table.size).toBe(1_000_000);
  });

  test('lets go of the oldest when it is full, and finds each of the others', () => {
    const ENTRIES = 5000;
    const table = new PositionTable(ENTRIES);
    for (let count = 1; count <= 3 * ENTRIES; count++) {
      table.add(count, count * 0x9e37_79b1, { sequence: count, offset: count % 2 ** 24, note: count % 256 });
    }
    expect(table.size).toBe(ENTRIES);
    for (let count = 1; count <= 3 * ENTRIES; count++) {
      const position = { sequence: count, offset: count % 2 ** 24, note: count % 256 };
      const found = table.find(count, (count * 0x9e37_79b1) >>> 0);
      expect(found).toEqual(count > 2 * ENTRIES ? position : undefined);
    }
  });

  test('tells records apart whose numbers pass 2^32, and drops them in order', () => {
    const table = new PositionTable(100);
    const base = 3 * 2 ** 32 - 5;
    for (let count = 0; count < 10; count++) {
      table.add(count, 7, { sequence: base + count, offset: 2 ** 24 - 1, note: 255 });
    }
    expect(table.find(0, 7)).toEqual({ sequence: base, offset: 2 ** 24 - 1, note: 255 });
    expect(table.find(9, 7)?.sequence).toBe(base + 9);
    table.dropBefore(base + 6);
    expect(table.size).toBe(4);
    expect(table.find(5, 7)).toBeUndefined();
    expect(table.find(6, 7)?.sequence).toBe(base + 6);
    table.clear();
    expect([table.size, table.find(9, 7)]).toEqual([0, undefined]);
  });
});
