import { Journal } from '../../src/journal/journal.js';

/**
 * A child process that appends as fast as it can and prints each number once it is acknowledged, until it is killed.
 * The payload of record N tells N. Run as `node dist/test/journal/appender.js DIR`.
 */

const IN_FLIGHT = 64;

export function payloadOf(sequence: number): Buffer {
  return Buffer.alloc(100 + (sequence % 7) * 1500, `record ${sequence} `);
}

async function main(dir: string): Promise<void> {
  const journal = await Journal.open({ dir, segmentBytes: 256 * 1024, historyBytes: 0 });
  const cursor = journal.cursor('peer', { at: Math.max(0, journal.first - 1) });
  const lane = async () => {
    for (;;) {
      const sequence = await journal.append(payloadOf(journal.assigned + 1));
      process.stdout.write(`a ${sequence}\n`);
      if (sequence % 97 !== 0) continue;
      await cursor.advance(sequence - 50);
      process.stdout.write(`c ${sequence - 50}\n`);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}

const [, script = '', dir] = process.argv;
if (dir !== undefined && script.endsWith('appender.js')) await main(dir);
