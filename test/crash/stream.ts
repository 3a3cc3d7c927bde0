import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Random } from '../../fuzz/random.js';
import { Journal } from '../../src/journal/journal.js';
import { Child } from './child.js';
import { freePort } from './directory.js';
import { payloadOf } from './payload.js';

/**
 * A process appends through a Sender and prints the number of each record once `append` says that it is logged over
 * there; another receives. Both are killed at random moments. Whatever was printed must be in the receive log, whole.
 */

const FIRST_WORD_MS_MAX = 30_000;

export interface StreamScenario {
  dir: string;
  random: Random;
  kills: number;
  lifeMsMax: number;
  log: (line: string) => void;
}

const script = (name: string): string => fileURLToPath(new URL(`./${name}.js`, import.meta.url));

export async function crashStream({ dir, random, kills, lifeMsMax, log }: StreamScenario): Promise<string[]> {
  const port = String(await freePort());
  const sender = new Child('sender', [script('stream-sender'), join(dir, 'out'), port]);
  const receiver = new Child('receiver', [script('stream-receiver'), join(dir, 'in'), port]);
  receiver.start();
  sender.start();
  try {
    // On a busy machine the first lives could otherwise end before anything has happened in them.
    await sender.says(FIRST_WORD_MS_MAX);
    for (let kill = 1; kill <= kills; kill++) {
      await new Promise((resolve) => setTimeout(resolve, random.between(50, lifeMsMax)));
      if (!sender.isRunning || !receiver.isRunning)
        return [`a process ended by itself: ${sender.errors}${receiver.errors}`];
      const victim = random.pick([sender, receiver]);
      await victim.kill();
      log(`kill ${kill}: ${victim.name}, ${sender.lines.length} acknowledged so far`);
      victim.start();
    }
  } finally {
    await sender.kill();
    await receiver.kill();
  }
  return checkLog(join(dir, 'in', 'log'), sender.lines.map(Number), receiver.lines.map(Number));
}

async function checkLog(dir: string, acknowledged: number[], applied: number[]): Promise<string[]> {
  const problems: string[] = [];
  const journal = await Journal.open({ dir });
  let last = 0;
  for await (const record of journal.read(1)) {
    if (record.sequence !== last + 1) problems.push(`record ${record.sequence} follows ${last}`);
    if (!record.payload.equals(payloadOf(record.sequence)))
      problems.push(`record ${record.sequence} has another content`);
    last = record.sequence;
  }
  await journal.close();
  if (acknowledged.length === 0) problems.push('nothing was acknowledged at all');
  for (const sequence of acknowledged)
    if (sequence > last) problems.push(`record ${sequence} was acknowledged and is not in the log`);
  let before = 0;
  for (const sequence of applied) {
    // Again after a crash, but never with a gap.
    if (sequence > before + 1) problems.push(`record ${sequence} was applied after ${before}`);
    before = Math.max(before, sequence);
  }
  return problems;
}
