import { restoreAll } from './restore.js';

/** A process of its own, as the peer's is: DIR TIMES FILE…; prints what `restoreAll` returns. */

const [dir = '', times = '1', ...paths] = process.argv.slice(2);
console.log(JSON.stringify(await restoreAll(dir, paths, Number(times))));
