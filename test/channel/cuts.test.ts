import { afterEach, expect, test } from 'vitest';
import { randomFor, rounds, SEED } from '../support/seed.js';
import { Cuts } from './cuts.js';
import { closeAll } from './sockets.js';

/** With LONGHAUL_ROUNDS it goes on for as many cuts in all, and LONGHAUL_SEED draws others. */

afterEach(closeAll);

const RUNS = 8;
const CUTS = Math.ceil(rounds(1000) / RUNS);

const runs = Array.from({ length: RUNS }, (_, run) => [run, 2 + (run % 7)] as const);
test.each(runs)(
  `run %d: over up to %d connections that are cut ${CUTS} times nothing is lost, repeated or out of order (seed ${SEED})`,
  async (run, connectionsMax) => {
    const { cuts, messages } = await new Cuts({ random: randomFor(run), cuts: CUTS, connectionsMax }).run();
    expect(cuts).toBe(CUTS);
    expect(messages).toBeGreaterThan(CUTS);
  },
  600_000,
);
