import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { payloadOf } from './appender.js';
import { collect, newDirectory, openJournal } from './harness.js';

const script = fileURLToPath(new URL('../../dist/test/journal/appender.js', import.meta.url));

/** Lets the child append until it has acknowledged so many, kills it, and returns what it printed. */
async function appendAndKill(
  dir: string,
  acknowledgements: number,
): Promise<{ acknowledged: number; position: number }> {
  const child = spawn(process.execPath, [script, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  let lines = 0;
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    printed += text;
    lines += text.split('\n').length - 1;
    if (lines >= acknowledgements) child.kill('SIGKILL');
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    child.on('close', (...ending) => resolve(ending));
  });
  expect([code, signal]).toEqual([null, 'SIGKILL']);
  const highest = (mark: string) => {
    const numbers = [...printed.matchAll(new RegExp(`^${mark} (\\d+)\n`, 'gm'))].map((match) => Number(match[1]));
    return Math.max(0, ...numbers);
  };
  return { acknowledged: highest('a'), position: highest('c') };
}

test('what a process acknowledged before kill -9 is there', async () => {
  expect(existsSync(script), `${script} is missing: npm run build`).toBe(true);
  const dir = newDirectory();
  let last = 0;
  for (const acknowledgements of [1, 50, 500, 2000, 3000]) {
    const { acknowledged, position } = await appendAndKill(dir, acknowledgements);
    const journal = await openJournal({ dir, segmentBytes: 256 * 1024 });
    expect(acknowledged).toBeGreaterThan(last);
    expect(journal.last).toBeGreaterThanOrEqual(acknowledged);
    expect(journal.cursor('peer').position).toBeGreaterThanOrEqual(position);
    const records = await collect(journal.read(journal.first));
    expect(records.at(-1)?.sequence ?? 0).toBe(journal.last);
    expect(journal.first).toBeLessThanOrEqual(journal.cursor('peer').position + 1);
    for (const { sequence, payload } of records) expect(payload.equals(payloadOf(sequence))).toBe(true);
    last = journal.last;
    await journal.close();
  }
});
