import { describe, expect, test } from 'vitest';
import { LADDER, Pace, type Rung } from '../../src/reduce/pace.js';
import { randomFor } from '../support/seed.js';

/** A session as the pace sees it: machines, a link and what each rung makes of the source, all with some noise. */

const MIB = 1024 * 1024;
const MBIT = 1e6 / 8;

/** Bytes a second of one core, and how often smaller the source gets: as measured on program text and a binary. */
const MEASURED: Record<string, { speed: number; ratio: number }> = {
  'none 0': { speed: 5e9, ratio: 1 },
  'lz4 0': { speed: 300e6, ratio: 2.1 },
  'zstd 1': { speed: 230e6, ratio: 3.05 },
  'zstd 3': { speed: 150e6, ratio: 3.45 },
  'zstd 6': { speed: 60e6, ratio: 3.7 },
  'zstd 9': { speed: 35e6, ratio: 3.83 },
};
const nameOf = ({ codec, level }: Rung): string => `${codec} ${level}`;

interface World {
  /** Bytes a second. */
  link: number;
  /** Of the source: how fast it is looked for in history, on every rung but the lowest. */
  prepare?: number;
  /** Of the source: how fast the peer takes it, whatever crosses. */
  peer?: number;
  backlogged?: boolean;
  /** Each time is up to so much longer. */
  noise?: number;
  /** The part of the source that references leave. */
  left?: number;
}

class Simulation {
  readonly changes: string[] = [];
  ms = 0;
  private readonly random;

  constructor(
    readonly pace: Pace,
    private readonly world: World,
    seed: number,
  ) {
    this.random = randomFor(seed);
  }

  /** Batches until so much time has gone by; a batch is finished as the rung was when it was taken up. */
  run(seconds: number, world: Partial<World> = {}): string {
    const { link, prepare = 600e6, peer = 5e9, backlogged = true, noise = 0.2, left = 1 } = { ...this.world, ...world };
    const noisy = (ms: number): number => ms * (1 + (noise * this.random.below(1000)) / 1000);
    const end = this.ms + seconds * 1000;
    while (this.ms < end) {
      const { rung } = this.pace;
      const { speed, ratio } = MEASURED[nameOf(rung)] as { speed: number; ratio: number };
      const bodyBytes = Math.round(MIB / ratio);
      const prepareMs = rung.codec === 'none' ? 0.1 : noisy((1000 * MIB) / prepare);
      const compressMs = noisy((1000 * MIB) / speed);
      const awayMs = noisy(Math.max((1000 * bodyBytes) / link, (1000 * MIB) / peer));
      const sendMs = Math.max(0.05, awayMs - compressMs);
      const elapsedMs = Math.max(prepareMs, compressMs + sendMs);
      this.ms += elapsedMs;
      this.pace.note({
        rung,
        sourceBytes: MIB,
        batchBytes: left * MIB,
        bodyBytes,
        prepareMs,
        compressMs,
        sendMs,
        elapsedMs,
        backlogged,
      });
      if (nameOf(this.pace.rung) !== nameOf(rung)) this.changes.push(nameOf(this.pace.rung));
    }
    return nameOf(this.pace.rung);
  }
}

/** The share of the time since `from` on each rung is not looked at: only where it is most of the time. */
function settled(simulation: Simulation, rounds: number): Map<string, number> {
  const seen = new Map<string, number>();
  for (let round = 0; round < rounds; round++) {
    const rung = simulation.run(1);
    seen.set(rung, (seen.get(rung) ?? 0) + 1);
  }
  return seen;
}

describe.each([601, 602, 603, 604])('with seed %i', (seed) => {
  test.each([2, 10, 20, 50, 100])('a link of %i Mbit/s gets zstd at level 3 or more', (mbit) => {
    const simulation = new Simulation(new Pace(), { link: mbit * MBIT }, seed);
    simulation.run(120);
    const seen = settled(simulation, 120);
    for (const rung of seen.keys()) expect(['zstd 3', 'zstd 6', 'zstd 9'], `${mbit} Mbit/s`).toContain(rung);
    if (mbit <= 50) expect(nameOf(simulation.pace.rung)).not.toBe('zstd 3');
  });

  test('a fast link gets next to nothing done to what crosses it', () => {
    const simulation = new Simulation(new Pace(), { link: 10_000 * MBIT }, seed);
    simulation.run(3);
    const seen = settled(simulation, 200);
    expect(seen.get('none 0')).toBeGreaterThan(190);
  });

  test('a slow peer behind a fast link gets as much as costs it nothing', () => {
    const simulation = new Simulation(new Pace(), { link: 10_000 * MBIT, peer: 50e6 }, seed);
    simulation.run(60);
    const seen = settled(simulation, 100);
    expect((seen.get('zstd 3') ?? 0) + (seen.get('zstd 6') ?? 0)).toBeGreaterThan(90);
  });

  test('history that is slow to look through is left alone when even that is slower than the link', () => {
    const simulation = new Simulation(new Pace(), { link: 2500 * MBIT, prepare: 80e6 }, seed);
    simulation.run(5);
    expect(settled(simulation, 100).get('none 0')).toBeGreaterThan(95);
  });

  test('goes down when the link becomes fast, and up when it becomes slow', () => {
    const simulation = new Simulation(new Pace(), { link: 20 * MBIT }, seed);
    expect(simulation.run(60)).toMatch(/zstd [69]/);
    expect(simulation.run(30, { link: 10_000 * MBIT })).toBe('none 0');
    expect(simulation.run(90, { link: 20 * MBIT })).toMatch(/zstd [369]/);
  });

  test('does not flap: what was no gain is tried ever more seldom', () => {
    for (const mbit of [20, 200, 600, 1000, 2500, 10_000]) {
      const simulation = new Simulation(new Pace(), { link: mbit * MBIT }, seed);
      simulation.run(120);
      const before = simulation.changes.length;
      simulation.run(600);
      expect(simulation.changes.length - before, `${mbit} Mbit/s`).toBeLessThan(60);
    }
  });
});

test('references that leave little are kept, however fast the link is', () => {
  const simulation = new Simulation(new Pace(), { link: 1e10, prepare: 80e6, left: 0.02 }, 608);
  expect(simulation.run(100)).not.toBe('none 0');
  expect(simulation.run(100, { left: 1 })).toBe('none 0');
});

test('without a backlog nothing changes, whatever the times are', () => {
  const simulation = new Simulation(new Pace(), { link: 1e5, backlogged: false }, 605);
  expect(simulation.run(100)).toBe('zstd 3');
  expect(simulation.run(100, { link: 1e10 })).toBe('zstd 3');
});

test('batches of the rung before say nothing about this one', () => {
  const pace = new Pace();
  const old: Rung = { codec: 'zstd', level: 1 };
  for (let batch = 0; batch < 1000; batch++) {
    const times = { prepareMs: 1, compressMs: 1, sendMs: 100, elapsedMs: 101 };
    pace.note({ rung: old, sourceBytes: MIB, batchBytes: MIB, bodyBytes: MIB, backlogged: true, ...times });
  }
  expect(nameOf(pace.rung)).toBe('zstd 3');
});

test.each([
  ['nothing else', LADDER.slice(0, 1), 'none 0'],
  ['no zstd', LADDER.slice(0, 2), 'lz4 0'],
  ['no LZ4', LADDER.filter(({ codec }) => codec !== 'lz4'), 'zstd 3'],
  ['a floor', LADDER.filter(({ level }) => level >= 3), 'zstd 3'],
])('keeps to what there is: %s', (_, ladder, start) => {
  const names = ladder.map(nameOf);
  for (const link of [1e5, 1e7, 1e10]) {
    const simulation = new Simulation(new Pace(ladder), { link }, 606);
    expect(nameOf(simulation.pace.rung)).toBe(start);
    simulation.run(100);
    for (const change of simulation.changes) expect(names).toContain(change);
  }
});

test('times of nothing, and of for ever, do not harm it', () => {
  const pace = new Pace();
  const extremes = [0, 1e-9, 1, 1e12, Number.MAX_SAFE_INTEGER];
  const random = randomFor(607);
  const one = (): number => extremes[random.below(extremes.length)] as number;
  for (let batch = 0; batch < 20_000; batch++) {
    const times = { prepareMs: one(), compressMs: one(), sendMs: one(), elapsedMs: one() };
    pace.note({
      rung: pace.rung,
      sourceBytes: one(),
      batchBytes: one(),
      bodyBytes: one(),
      backlogged: random.below(4) > 0,
      ...times,
    });
    expect(LADDER).toContain(pace.rung);
  }
});
