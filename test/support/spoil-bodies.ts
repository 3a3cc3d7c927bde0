import { bodies } from '../../src/channel/body-pool.js';
import { onReuse } from '../../src/journal/state/loan.js';

// Whoever still looks at what was given back reads this, and a checksum finds it.
const spoil = (memory: Buffer): Buffer => memory.fill(0xdb);
bodies.onGiven = spoil;
onReuse.spoil = spoil;
