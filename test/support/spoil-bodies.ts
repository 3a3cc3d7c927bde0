import { bodies } from '../../src/channel/body-pool.js';

// Whoever still looks at what was given back reads this, and a checksum finds it.
bodies.onGiven = (memory) => memory.fill(0xdb);
