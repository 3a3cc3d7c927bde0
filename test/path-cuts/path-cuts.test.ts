import { expect, test } from 'vitest';
import { Workspace } from '../../bench/kit/workspace.js';
import { TunLink } from '../../bench/wan/tun-link.js';
import { randomFor, SEED } from '../support/seed.js';
import { atEnd } from '../support/temp.js';
import { cutPaths } from './path-cuts.js';

/** The short form of `npm run test:path-cuts`. */

const CUTS = 8;
const missing = TunLink.missing();

test.skipIf(missing !== undefined)(
  `over paths of the kernel that are cut ${CUTS} times nothing is lost, repeated or out of order (seed ${SEED})`,
  async () => {
    const work = await Workspace.open('path-cuts');
    atEnd(() => work.close());
    const report = await cutPaths(work, { cuts: CUTS, seed: SEED, random: randomFor(940), say: () => {} });
    expect(report.problems).toEqual([]);
    expect(report.records).toBeGreaterThan(100);
  },
  120_000,
);
