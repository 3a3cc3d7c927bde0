import { readFileSync } from 'node:fs';
import { InvalidArgumentError, LonghaulError } from '../index.js';
import { helpText, nearest, readArguments, UsageError, type Values } from './arguments.js';
import { Interrupt, InterruptedError } from './interrupt.js';
import { keygen, keygenOptions, keygenSummary } from './keygen.js';
import { receive, receiveOptions, receiveSummary } from './receive.js';
import { send, sendOptions, sendSummary } from './send.js';

/** The `longhaul` command: finds the subcommand, runs it, and turns what happens into output and an exit code. */

const EXIT_DONE = 0;
const EXIT_FAILED = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;

const COMMANDS = {
  send: { run: send, options: sendOptions, summary: sendSummary },
  receive: { run: receive, options: receiveOptions, summary: receiveSummary },
  keygen: { run: keygen, options: keygenOptions, summary: keygenSummary },
} as const;

type CommandName = keyof typeof COMMANDS;

export async function main(args: string[]): Promise<number> {
  const json = args.includes('--json');
  try {
    return await dispatch(args);
  } catch (error) {
    if (error instanceof InterruptedError) return EXIT_INTERRUPTED;
    report(error, json);
    return error instanceof UsageError || error instanceof InvalidArgumentError ? EXIT_USAGE : EXIT_FAILED;
  }
}

async function dispatch([name = '', ...rest]: string[]): Promise<number> {
  if (name === '--version') return print(`longhaul ${packageVersion()}`);
  if (name === '' || name === '--help' || name === 'help') return print(overview());
  if (!Object.hasOwn(COMMANDS, name)) throw new UsageError(unknownCommand(name));
  const command = COMMANDS[name as CommandName];
  const values: Values = readArguments(name, rest, command.options);
  if (values.help === true) return print(helpText(name, command.summary, command.options));
  const interrupt = new Interrupt();
  try {
    await command.run(values, interrupt);
    return EXIT_DONE;
  } finally {
    interrupt.close();
  }
}

function print(text: string): number {
  process.stdout.write(`${text}\n`);
  return EXIT_DONE;
}

function overview(): string {
  const rows = Object.entries(COMMANDS).map(
    ([name, { summary }]) => `  longhaul ${name.padEnd(8)} ${summary.split('\n')[0]}`,
  );
  return [
    'Keeps a live copy of a directory on another server.',
    '',
    ...rows,
    '',
    'longhaul COMMAND --help tells the options; longhaul --version the version.',
    'Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.',
  ].join('\n');
}

function unknownCommand(name: string): string {
  const near = nearest(name, Object.keys(COMMANDS));
  return `unknown command ${JSON.stringify(name)}; ${near === undefined ? 'see longhaul --help' : `did you mean ${near}?`}`;
}

function report(error: unknown, json: boolean): void {
  const code = (error as { code?: unknown }).code;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`longhaul: ${message}${typeof code === 'string' ? ` [${code}]` : ''}\n`);
  if (!(error instanceof LonghaulError) && !(error instanceof UsageError) && error instanceof Error) {
    process.stderr.write(`${error.stack ?? ''}\n`);
  }
  if (!json) return;
  const details = error instanceof LonghaulError ? error.toJSON() : { code: code ?? 'FAILED', message };
  process.stdout.write(`${JSON.stringify({ error: details })}\n`);
}

function packageVersion(): string {
  const path = new URL('../../../package.json', import.meta.url);
  return String((JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version);
}
