import { createRequire } from 'node:module';
import { dirname } from 'node:path';

/** Where the compiled code lies, also when the file that asks runs without being compiled; and the project around it. */
export const BUILT = dirname(dirname(createRequire(import.meta.url).resolve('longhaul')));
export const PROJECT = dirname(BUILT);
