import { parseArgs } from 'node:util';

/** Reads a command line and refuses what it does not know with the nearest thing that it does. */

export interface OptionHelp {
  /** Shown for the option's value; absent for a switch. */
  value?: string;
  help: string;
  required?: boolean;
  /** May be given more than once; its values come as an array. */
  repeats?: boolean;
}

export type OptionTable = Record<string, OptionHelp>;

export class UsageError extends Error {
  readonly code = 'USAGE';
}

export type Values = Record<string, string | boolean | readonly string[] | undefined>;

export function readArguments(command: string, args: string[], table: OptionTable): Values {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, option]) => [
      name,
      { type: option.value === undefined ? 'boolean' : 'string' } as const,
    ]),
  );
  const { tokens } = parseArgs({ args, options, strict: false, allowPositionals: true, tokens: true });
  const values: Values = {};
  for (const token of tokens) {
    if (token.kind === 'positional')
      throw new UsageError(
        `${command} takes no argument ${JSON.stringify(token.value)}; see longhaul ${command} --help`,
      );
    if (token.kind !== 'option') continue;
    const option = Object.hasOwn(table, token.name) ? table[token.name] : undefined;
    if (option === undefined) throw new UsageError(unknownOption(command, token.rawName, Object.keys(table)));
    if (Object.hasOwn(values, token.name) && option.repeats !== true)
      throw new UsageError(`${token.rawName} is given twice`);
    if (option.value === undefined && token.value !== undefined)
      throw new UsageError(`${token.rawName} takes no value`);
    if (option.value !== undefined && (token.value === undefined || token.value === '')) {
      throw new UsageError(`${token.rawName} needs a value: ${token.rawName} ${option.value}`);
    }
    values[token.name] =
      option.repeats === true ? [...earlier(values[token.name]), `${token.value}`] : (token.value ?? true);
  }
  if (values.help === true) return values;
  for (const [name, option] of Object.entries(table)) {
    if (option.required && values[name] === undefined) {
      throw new UsageError(`${command} needs --${name} ${option.value ?? ''}; see longhaul ${command} --help`);
    }
  }
  return values;
}

const earlier = (value: Values[string]): readonly string[] => (Array.isArray(value) ? value : []);

function unknownOption(command: string, given: string, known: string[]): string {
  const near = nearest(given.replace(/^-+/, ''), known);
  const hint = near === undefined ? `see longhaul ${command} --help` : `did you mean --${near}?`;
  return `unknown option ${given}; ${hint}`;
}

/** The known word with the fewest edits from `given`, if they are few enough for a slip of the keyboard. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  const scored = known
    .map((word) => ({ word, edits: edits(given.toLowerCase(), word) }))
    .sort((a, b) => a.edits - b.edits);
  const best = scored[0];
  return best !== undefined && best.edits <= Math.max(2, Math.ceil(best.word.length / 3)) ? best.word : undefined;
}

/** Edit distance (Levenshtein 1966). */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

export function helpText(command: string, summary: string, table: OptionTable): string {
  const names = Object.entries(table).map(([name, { value }]) => `--${name}${value === undefined ? '' : ` ${value}`}`);
  const width = Math.max(...names.map((name) => name.length));
  const usage = Object.entries(table)
    .filter(([, option]) => option.required)
    .map(([name, { value }]) => `--${name} ${value ?? ''}`)
    .join(' ');
  const rows = Object.values(table).map(({ help }, i) => `  ${(names[i] ?? '').padEnd(width)}  ${help}`);
  return [`longhaul ${command} ${usage} [options]`, '', summary, '', ...rows, ''].join('\n');
}
