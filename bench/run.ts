import { parseArgs } from 'node:util';
import { formatTable } from './format.js';
import { BENCHES, type Bench, type BenchRow } from './registry.js';

const OPTIONS = { json: { type: 'boolean' }, tiny: { type: 'boolean' }, help: { type: 'boolean' } } as const;

/** What the benchmark command prints to: a line each, without its end. */
export interface Output {
  out(line: string): void;
  error(line: string): void;
}

/** `npm run bench -- [name …] [--json] [--tiny]`: 0 done, 1 a benchmark failed, 2 not understood. */
export async function runBenches(args: string[], { out, error }: Output): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (cause) {
    error(`${(cause as Error).message}\n${usage()}`);
    return 2;
  }
  if (parsed.help) {
    out(usage());
    return 0;
  }
  const rows: (BenchRow & { bench: string })[] = [];
  for (const bench of parsed.benches) {
    error(`${bench.name}: ${bench.describe}`);
    try {
      rows.push(...(await bench.run({ tiny: parsed.tiny, say: error })).map((row) => ({ bench: bench.name, ...row })));
    } catch (cause) {
      error(`${bench.name} failed: ${(cause as Error).stack ?? String(cause)}`);
      return 1;
    }
  }
  for (const line of formatTable(rows)) out(line);
  if (parsed.json) out(JSON.stringify(rows));
  return 0;
}

function parse(args: string[]): { benches: readonly Bench[]; json: boolean; tiny: boolean; help: boolean } {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  const { json = false, tiny = false, help = false } = values;
  const named = positionals.map((name) => {
    const bench = BENCHES.find((one) => one.name === name);
    if (bench === undefined) throw new Error(`no benchmark is named ${JSON.stringify(name)}`);
    return bench;
  });
  return { benches: named.length > 0 ? named : BENCHES, json, tiny, help };
}

function usage(): string {
  const names = BENCHES.map(({ name, describe }) => `  ${name.padEnd(12)} ${describe}`);
  return [
    'npm run bench -- [name …] [--json] [--tiny]',
    '',
    ...names,
    '',
    '--json  the last line of standard output is the rows as a JSON array',
    '--tiny  the smallest run, to see that everything works; its figures mean nothing',
  ].join('\n');
}
