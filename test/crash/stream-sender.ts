import { Sender } from '../../src/index.js';
import { payloadOf } from './payload.js';

/** Appends without end and prints each number once it is logged on the other side: `stream-sender.js DIR PORT`. */

const IN_FLIGHT = 32;

const [, , dir = '', port = ''] = process.argv;
const sender = await Sender.open({ dir, peers: [{ name: 'receiver', host: '127.0.0.1', port: Number(port) }] });
let next = sender.status().appended + 1;

async function lane(): Promise<void> {
  for (;;) {
    // The number is known in advance because nothing else appends, and calls keep their order.
    const sequence = await sender.append(payloadOf(next++), { ack: 'logged' });
    process.stdout.write(`${sequence}\n`);
  }
}

await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
