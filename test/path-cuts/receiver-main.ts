import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Receiver, type ReceiverOptions } from '../../src/index.js';
import { payloadOf } from './payload.js';

/**
 * The far end. Its argument is a `ReceiverSetup` as JSON; it says `listening on PORT`, and `broken WHAT` for each record that is
 * lost, repeated, out of order or not what was sent. Told `stop` it ends, and says `applied N`.
 */

export interface ReceiverSetup {
  options: ReceiverOptions;
  seed: number;
}

const { options, seed } = JSON.parse(process.argv[2] ?? '') as ReceiverSetup;
let applied = 0;
const receiver = await Receiver.open({
  ...options,
  apply: ({ sequence, payload }) => {
    if (sequence !== applied + 1) console.log(`broken record ${sequence} came after ${applied}`);
    if (!payload.equals(payloadOf(seed, sequence))) console.log(`broken record ${sequence} is not what was sent`);
    applied = sequence;
  },
});
console.log(`listening on ${receiver.port}`);
const input = createInterface({ input: process.stdin });
await once(input, 'line');
await receiver.close();
console.log(`applied ${applied}`);
input.close();
