import { checked, type Kernels } from '../../src/engine/kernels.js';
import { loadEngine } from '../../src/engine/load.js';
import { portable } from '../../src/engine/portable.js';

/** Both engines as far as they are here, for the suite that both must pass. */
const loaded = loadEngine(process.env.LONGHAUL_REQUIRE_NATIVE === '1' ? 'native' : undefined);

export const nativeBuilt = loaded.name === 'native';
export const engines: [name: string, kernels: Kernels][] = [['portable', checked(portable)]];
if (nativeBuilt) engines.push(['native', checked(loaded.kernels)]);
else console.warn(`only the portable engine is tested: ${loaded.reason}`);
