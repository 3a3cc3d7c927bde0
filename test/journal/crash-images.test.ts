import { expect, test } from 'vitest';
import { rounds, SEED } from '../support/seed.js';
import { checkImages } from './crash-images.js';

/** A few of the images that `npm run test:crash-images` goes through. */
test('a journal opens from every image that a power cut can leave, and keeps its promises', async () => {
  const report = await checkImages({ images: rounds(250), imagesPerRun: 25, seed: SEED });
  expect(report.problems).toEqual([]);
  expect(report.interruptions).toBeGreaterThan(100);
  expect(report.sides).toBeGreaterThan(50);
  expect([...report.rows.keys()]).toEqual(expect.arrayContaining(['sound', 'torn tail']));
  expect([...report.covered.keys()]).toEqual(
    expect.arrayContaining([
      'segments recycled',
      'segments freed',
      'segments made',
      'side files written',
      'side files removed',
      'preallocations and cuts of files',
      'groups over 1 MiB',
      'zeros ahead',
      'cursorReached',
      'dropDone',
      'resetAsked',
      'cutAsked',
    ]),
  );
  // It takes a fifth of that, where nothing else runs.
}, 60_000);

test.each(['sync', 'syncDirectory'] as const)('the canary: a disk that forgets %s is found out', async (forgets) => {
  const report = await checkImages({ images: 60, imagesPerRun: 30, seed: SEED, forgets });
  expect(report.problems.length).toBeGreaterThan(5);
  expect(report.problems[0]).toContain(`seed ${SEED}, image `);
});
