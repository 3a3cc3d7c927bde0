import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { formatTable } from '../../bench/format.js';
import { BENCHES, type BenchRow } from '../../bench/registry.js';
import { runBenches } from '../../bench/run.js';

async function bench(...args: string[]) {
  const out: string[] = [];
  const errors: string[] = [];
  const code = await runBenches(args, { out: (line) => out.push(line), error: (line) => errors.push(line) });
  return { code, out, errors: errors.join('\n') };
}

test.each(BENCHES.map(({ name }) => name))('smoke: %s', async (name) => {
  const { code, out, errors } = await bench(name, '--tiny', '--json');
  expect(code, errors).toBe(0);
  const rows = JSON.parse(out.at(-1) ?? '') as BenchRow[];
  expect(rows.length).toBeGreaterThan(0);
  for (const row of rows) {
    expect(row).toMatchObject({ name: expect.any(String), metric: expect.any(String) });
    expect(row).toHaveProperty('bench', name);
    expect(row.value).toBeGreaterThan(0);
    expect(row.ratio === undefined).toBe(row.rival === undefined);
  }
});

test('an unknown name or option is refused with the names there are', async () => {
  for (const args of [['nonsense'], ['--nonsense']]) {
    const { code, out, errors } = await bench(...args);
    expect([code, out]).toEqual([2, []]);
    expect(errors).toContain('nonsense');
    for (const { name } of BENCHES) expect(errors).toContain(name);
  }
});

test('a name that none has by itself selects its whole family', async () => {
  const { code, out, errors } = await bench('journal', '--tiny', '--json', '--dir', tmpdir());
  expect(code, errors).toBe(0);
  const rows = JSON.parse(out.at(-1) ?? '') as (BenchRow & { bench: string })[];
  expect([...new Set(rows.map((row) => row.bench))]).toEqual([
    'journal-append',
    'journal-read',
    'journal-random-read',
    'journal-open',
    'journal-scrub',
  ]);
  expect(errors).toContain(`in ${tmpdir()}, file system `);
});

test('the table lines up', () => {
  const lines = formatTable([
    { bench: 'a', name: 'first', metric: 'throughput', value: 1234.5, unit: 'MB/s', rival: 'other', ratio: 2 },
    { bench: 'long', name: 'x', metric: 'time', value: 0.01234, unit: 's' },
  ]);
  expect(lines).toEqual([
    'bench  what   metric       value  unit  against  ratio',
    'a      first  throughput    1235  MB/s  other    2.00×',
    'long   x      time        0.0123  s',
  ]);
});
