import { Random } from '../../fuzz/random.js';

/**
 * Every test that draws lots starts from one seed, LONGHAUL_SEED or the number below; LONGHAUL_ROUNDS makes those that
 * go in rounds go on for longer. A failure names the seed and the round.
 */
export const SEED = Number(process.env.LONGHAUL_SEED ?? 20_261_121);

export function rounds(usual: number): number {
  return Number(process.env.LONGHAUL_ROUNDS ?? usual);
}

/** Random numbers for one part of a test: `salt` keeps parts from drawing the same ones. */
export function randomFor(salt: number): Random {
  return new Random((SEED + salt * 0x9e37) >>> 0);
}
