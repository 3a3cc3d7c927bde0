import { createInterface } from 'node:readline';
import { Receiver, type ReceiverOptions } from '../../src/index.js';
import { Meter } from './meter.js';

/**
 * The far end, a process of its own. Its argument is `ReceiverOptions` as JSON; it says `listening on PORT`, and answers each
 * line `mark` of its input with `mark MARK`, as JSON.
 */

const options = JSON.parse(process.argv[2] ?? '') as ReceiverOptions;
// Applying costs nothing, so that the log is freed and nothing but the way is measured.
const receiver = await Receiver.open({ ...options, apply: () => {} });
const meter = new Meter();
const lines = createInterface({ input: process.stdin });
process.once('SIGTERM', () => lines.close());
console.log(`listening on ${receiver.port}`);
for await (const line of lines) if (line === 'mark') console.log(`mark ${JSON.stringify(meter.mark())}`);
await receiver.close();
meter.close();
process.stdin.destroy();
