import { Journal } from '../../src/index.js';
import { Workload } from './workload.js';

/** A process to be killed: appends that many bytes to the journal, says so, and goes on. */

const [dir = '', bytes = ''] = process.argv.slice(2);
const journal = await Journal.open({ dir });
const feed = new Workload(8 * 1024, 256).feed();
let written = 0;
for (let said = false; ; ) {
  const group = feed.group();
  const last = await journal.appendMany(group.payloads);
  written += group.bytes.byteLength;
  if (said || written < Number(bytes)) continue;
  said = true;
  console.log(`written ${last}`);
}
