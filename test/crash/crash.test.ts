import { expect, it } from 'vitest';
import { randomFor, SEED } from '../support/seed.js';
import { newDirectory } from '../support/temp.js';
import { crashBuilt } from './built.js';

/** The short form of `npm run test:crash`. */

const log = (): void => {};

it(`loses no acknowledged record to kill -9 (seed ${SEED})`, async () => {
  const { crashStream } = await crashBuilt();
  expect(await crashStream({ dir: newDirectory(), random: randomFor(1), kills: 6, lifeMsMax: 500, log })).toEqual([]);
}, 60_000);

it(`ends in an identical replica after kill -9 (seed ${SEED})`, async () => {
  const { crashDirectory } = await crashBuilt();
  const size = { entries: 300, largeBytes: 8_000_000, lifeMsMax: 900 };
  expect(await crashDirectory({ dir: newDirectory(), random: randomFor(2), kills: 8, log, ...size })).toEqual([]);
}, 90_000);
