import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { WINDOW_BYTES_MAX } from '../../src/channel/channel.js';
import { STRANGERS_MAX } from '../../src/channel/listener.js';
import type { OptionTable } from '../../src/cli/arguments.js';
import { keygenOptions } from '../../src/cli/keygen.js';
import { receiveOptions } from '../../src/cli/receive.js';
import { sendOptions } from '../../src/cli/send.js';
import { GIB, KIB, MIB } from '../../src/options.js';
import { REDUCTION_BYTES } from '../../src/reduce/memory-budget.js';
import {
  DISK_RESERVE_BYTES,
  HEARTBEAT_MS,
  HISTORY_BYTES,
  PEER_TIMEOUT_MS,
  PENDING_BYTES,
  QUEUE_BYTES,
  SEGMENT_BYTES,
} from '../../src/replication/sender-options.js';
import { tables } from './tables.js';

/** docs/operations.md knows every option, code and event that there is. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(`${root}/${path}`, 'utf8');
const doc = read('docs/operations.md');
const found = tables(doc);

function rows(heading: string): Record<string, string>[] {
  const table = found.find((one) => one.heading === heading);
  if (table === undefined) throw new Error(`no table under ${heading}`);
  return table.rows;
}

const unquoted = (cell = ''): string => cell.replaceAll('`', '');

test('every error code, and no other', () => {
  const raised = [...read('src/errors.ts').matchAll(/readonly code = '(\w+)'/g)].map(([, code]) => code);
  const said = rows('Errors').map(({ code }) => unquoted(code));
  expect(said.sort()).toEqual([...raised, 'USAGE'].sort());
});

test.each<[string, OptionTable]>([
  ['`longhaul send`', sendOptions],
  ['`longhaul receive`', receiveOptions],
  ['`longhaul keygen`', keygenOptions],
])('every option of %s, with its default', (heading, options) => {
  const said = rows(heading).map(({ option, default: value }) => [unquoted(option), value]);
  const expected = Object.entries(options)
    .filter(([name]) => name !== 'help')
    .map(([name, { value, help, required }]) => {
      const byDefault = /\(default ([^)]+)\)/.exec(help)?.[1] ?? /(\w+) \(default\)/.exec(help)?.[1];
      return [`--${name}${value === undefined ? '' : ` ${value}`}`, required ? 'needed' : spaced(byDefault ?? '')];
    });
  expect(said).toEqual(expected);
});

/** `1gib` as the page writes it. */
function spaced(value: string): string {
  return value.replace(/^(\d+)gib$/, '$1 GiB').replace(/^(\d+)s$/, '$1 s');
}

test('bounds and defaults of the options of an embedder', () => {
  const bounds = {
    queueBytesMax: QUEUE_BYTES,
    historyBytes: HISTORY_BYTES,
    pendingBytesMax: PENDING_BYTES,
    reductionBytesMax: REDUCTION_BYTES,
    segmentBytes: SEGMENT_BYTES,
    diskReserveBytes: DISK_RESERVE_BYTES,
    heartbeatMs: HEARTBEAT_MS,
    peerTimeoutMs: PEER_TIMEOUT_MS,
    windowBytesMax: WINDOW_BYTES_MAX,
    strangersMax: STRANGERS_MAX,
  };
  const said = Object.fromEntries(
    rows('`Sender.open` and `Receiver.open`').map(({ option, default: value, least, most }) => [
      unquoted(option),
      { min: amount(least), max: amount(most), default: amount(value) },
    ]),
  );
  expect(said).toEqual(bounds);
});

function amount(cell = ''): number {
  const [digits, unit = ''] = cell.split(' ');
  const units: Record<string, number> = { '': 1, KiB: KIB, MiB: MIB, GiB: GIB, PiB: MIB * GIB };
  return Number(digits) * (units[unit] ?? Number.NaN);
}

test('every event', () => {
  const published = [...read('src/engine/events.ts').matchAll(/^ {2}(\w+): \{/gm)].map(
    ([, name]) => `longhaul:${name}`,
  );
  const said = found.flatMap((table) =>
    table.rows.flatMap((row) => (row.channel === undefined ? [] : [unquoted(row.channel)])),
  );
  expect(said.sort()).toEqual(published.sort());
});

test.each([
  ['SenderStatus', 'src/replication/sender-status.ts'],
  ['ReceiverStatus', 'src/replication/receiver.ts'],
])('every field of %s', (name, path) => {
  const body = new RegExp(`interface ${name} \\{(.*?)^\\}`, 'ms').exec(read(path))?.[1] ?? '';
  const fields = [...body.matchAll(/^ {2}(\w+)\??:/gm)].map(([, field]) => field);
  expect(fields.length).toBeGreaterThan(5);
  for (const field of fields) expect(doc).toContain(`\`${field}\``);
});

test('pages, README and changelog use only options that exist', () => {
  const known = new Set([
    ...Object.keys(sendOptions),
    ...Object.keys(receiveOptions),
    ...Object.keys(keygenOptions),
    'version',
  ]);
  const pages = ['README.md', ...readdirSync(`${root}/docs`).map((name) => `docs/${name}`)];
  for (const page of pages) {
    for (const [command] of read(page).matchAll(/longhaul (?:send|receive|keygen)[^`\n]*/g)) {
      for (const [, option = ''] of command.matchAll(/--([a-z][a-z-]*)/g))
        expect(known, `${page}: ${command}`).toContain(option);
    }
  }
});
