import { createInterface } from 'node:readline';
import { Sender } from '../../src/index.js';
import { ownUsage } from '../kit/usage.js';
import { type FiledRecord, readRecords } from './record-file.js';

/**
 * A process that sends the records of each file that a line of its standard input names, and tells when they have been
 * applied: `sent JSON`, all of it counted since the start.
 */

const BATCH_BYTES = 4 * 1024 * 1024;

const [dir = '', port = ''] = process.argv.slice(2);
// As `send --once` does it: the fewest bytes, whatever the link.
const sender = await Sender.open({
  dir,
  prefer: 'bytes',
  peers: [{ name: 'replica', host: '127.0.0.1', port: Number(port) }],
});
const lines = createInterface({ input: process.stdin });
process.once('SIGTERM', () => lines.close());
console.log('ready');
for await (const file of lines) {
  await sendAll(file);
  await sender.drain('applied');
  const { payloadBytesSent, wireBytesSent, wireBytesReceived, stages } = sender.status();
  const told = { payloadBytesSent, wireBytesSent, wireBytesReceived, stages, usage: ownUsage() };
  console.log(`sent ${JSON.stringify(told)}`);
}
await sender.close();
process.stdin.destroy();

/** Two batches at a time: the second is read while the first becomes durable. */
async function sendAll(file: string): Promise<void> {
  let before: Promise<unknown> = Promise.resolve();
  for await (const batch of batches(file)) {
    const sent = Promise.all(batch.map(({ payload, key, offset }) => sender.append(payload, { key, offset })));
    await before;
    before = sent;
  }
  await before;
}

async function* batches(file: string): AsyncGenerator<FiledRecord[]> {
  let batch: FiledRecord[] = [];
  let bytes = 0;
  for await (const record of readRecords(file)) {
    batch.push(record);
    bytes += record.payload.length;
    if (bytes < BATCH_BYTES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  yield batch;
}
