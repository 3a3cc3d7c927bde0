import { expect, test } from 'vitest';
import { rounds, SEED } from '../support/seed.js';
import { checkImages } from './crash-images.js';

/** A few of the images that `npm run test:crash-images` goes through. */
test('a journal opens from every image that a power cut can leave, and keeps its promises', async () => {
  const report = await checkImages({ images: rounds(400), imagesPerRun: 50, seed: SEED });
  expect(report.problems).toEqual([]);
  expect(report.recycled).toBeGreaterThan(10);
  expect([...report.rows.keys()]).toEqual(expect.arrayContaining(['sound', 'torn tail']));
});

test('the canary: a disk that forgets to sync is found out', async () => {
  const report = await checkImages({ images: 50, imagesPerRun: 50, seed: SEED, lyingDisk: true });
  expect(report.problems.length).toBeGreaterThan(5);
  expect(report.problems[0]).toContain(`seed ${SEED}, image `);
});
