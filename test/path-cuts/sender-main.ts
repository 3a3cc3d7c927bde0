import { createInterface } from 'node:readline';
import { Sender, type SenderOptions } from '../../src/index.js';
import { payloadOf } from './payload.js';

/**
 * The near end. Its argument is a `SenderSetup` as JSON. It says `ready` and appends without end; told `stop` it waits until all
 * is applied and says `appended N`. It says `broken WHAT` when an append is answered with another number than its own.
 */

export interface SenderSetup {
  options: SenderOptions;
  seed: number;
}

/** Appends that wait for their answer: as much as fills the paths, so that each cut strikes something. */
const UNDER_WAY = 64;

const { options, seed } = JSON.parse(process.argv[2] ?? '') as SenderSetup;
const sender = await Sender.open(options);
let appended = 0;
let stopped = false;
const input = createInterface({ input: process.stdin }).once('line', () => {
  stopped = true;
});

async function appendOn(): Promise<void> {
  while (!stopped) {
    const expected = ++appended;
    const sequence = await sender.append(payloadOf(seed, expected), { ack: 'logged' });
    if (sequence !== expected) console.log(`broken record ${expected} was given number ${sequence}`);
  }
}

await sender.connected();
console.log('ready');
await Promise.all(Array.from({ length: UNDER_WAY }, appendOn));
await sender.drain('applied');
console.log(`appended ${appended}`);
await sender.close();
input.close();
