import { checked, type Kernels } from '../src/engine/kernels.js';
import { loadEngine } from '../src/engine/load.js';
import { portable } from '../src/engine/portable.js';

const loaded = loadEngine(process.env.LONGHAUL_REQUIRE_NATIVE === '1' ? 'native' : undefined);
if (loaded.name === 'portable') console.warn(`the portable engine is held against itself alone: ${loaded.reason}`);

/** The portable engine and the one that must do the same: the native one, where it was built. */
export const twins: readonly Kernels[] = [checked(portable), checked(loaded.kernels)];
