import { Random } from '../../fuzz/random.js';

/**
 * Every test that draws lots starts from one seed, LONGHAUL_SEED or the number below; LONGHAUL_ROUNDS makes those that
 * go in rounds go on for longer. A failure names the seed and the round.
 */
export const SEED = Number(process.env.LONGHAUL_SEED ?? 20_261_121);

export function rounds(usual: number): number {
  return Number(process.env.LONGHAUL_ROUNDS ?? usual);
}

/** Whether every case of a matrix is gone through, as with `npm run test:whole`, or a share of them. */
const WHOLE = process.env.LONGHAUL_WHOLE === '1';

/** Whether the case of this number is gone through where one in `each` is: which ones, the seed tells. */
export function isDrawn(number: number, each: number): boolean {
  return WHOLE || (number + SEED) % each === 0;
}

/** Random numbers for one part of a test: `salt` keeps parts from drawing the same ones. */
export function randomFor(salt: number): Random {
  return new Random((SEED + salt * 0x9e37) >>> 0);
}
