import { parseArgs } from 'node:util';
import { formatTable } from './format.js';
import { BENCHES, type Bench, type BenchOptions, type BenchRow } from './registry.js';

const OPTIONS = {
  json: { type: 'boolean' },
  tiny: { type: 'boolean' },
  dir: { type: 'string' },
  chart: { type: 'string' },
  table: { type: 'string' },
  only: { type: 'string' },
  link: { type: 'string' },
  seconds: { type: 'string' },
  alone: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;

/** What the benchmark command prints to: a line each, without its end. */
export interface Output {
  out(line: string): void;
  error(line: string): void;
}

/**
 * `npm run bench -- [name …] [--json] [--tiny] [--dir DIR] [--chart FILE] [--table FILE] [--only WORD] [--link NAME]
 * [--seconds N] [--alone]`: 0 done, 1 a benchmark failed, 2 not understood.
 */
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
      const found = await bench.run({ ...parsed.options, say: error });
      rows.push(...found.map((row) => ({ bench: bench.name, ...row })));
    } catch (cause) {
      error(`${bench.name} failed: ${(cause as Error).stack ?? String(cause)}`);
      return 1;
    }
  }
  for (const line of formatTable(rows)) out(line);
  if (parsed.json) out(JSON.stringify(rows));
  return 0;
}

interface Parsed {
  benches: readonly Bench[];
  options: Omit<BenchOptions, 'say'>;
  json: boolean;
  help: boolean;
}

function parse(args: string[]): Parsed {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  const { json = false, tiny = false, alone = false, dir, chart, table, only, link, seconds, help = false } = values;
  const named = positionals.flatMap((name) => {
    const own = BENCHES.filter((one) => one.name === name);
    const benches = own.length > 0 ? own : BENCHES.filter((one) => one.name.startsWith(`${name}-`));
    if (benches.length === 0) throw new Error(`no benchmark is named ${JSON.stringify(name)}`);
    return benches;
  });
  const options = {
    tiny,
    alone,
    ...(only === undefined ? {} : { only }),
    ...(dir === undefined ? {} : { dir }),
    ...(link === undefined ? {} : { link }),
    ...(seconds === undefined ? {} : { seconds: parseSeconds(seconds) }),
    ...(chart === undefined ? {} : { chart }),
    ...(table === undefined ? {} : { table }),
  };
  return { benches: named.length > 0 ? named : BENCHES, options, json, help };
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text === '' || !(seconds >= 1 && seconds <= 3600)) {
    throw new Error(`--seconds is ${JSON.stringify(text)}; expected a number from 1 to 3600`);
  }
  return seconds;
}

function usage(): string {
  const names = BENCHES.map(({ name, describe }) => `  ${name.padEnd(14)} ${describe}`);
  return [
    'npm run bench -- [name …] [--json] [--tiny] [--dir DIR] [--chart FILE] [--table FILE] [--only WORD] [--link NAME] [--seconds N] [--alone]',
    '',
    ...names,
    '',
    'A name selects every benchmark that begins with it: journal is journal-append, journal-read and so on.',
    '',
    '--json  the last line of standard output is the rows as a JSON array',
    '--dir   where to work, such as a directory on the disk in question',
    '--chart a file for what reduction sent and what the others did, as a picture (SVG)',
    '--table a file for its figures, as tables (Markdown)',
    '--only  of reduction the change sets with this word in their name; of wan-background what the plain connection uses, cubic or bbr',
    '--link  of wan the links whose names begin with this: lan, wan30, wan80, wan200, wan600',
    '--seconds of wan how long each measurement of goodput takes (default 10, or 30 round trips; 5 of wan-background)',
    '--alone of reduction and wan without what it is compared with',
    '--tiny  the smallest run, to see that everything works; its figures mean nothing',
  ].join('\n');
}
