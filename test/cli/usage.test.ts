import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ask, Cli } from '../support/cli.js';
import { newDirectory } from '../support/temp.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

describe('help and version', () => {
  test('go to standard output, with exit code 0', async () => {
    for (const args of [['--help'], ['help'], []]) {
      const { code, stdout, stderr } = await Cli.run(...args);
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(/longhaul send/);
      expect(stdout).toMatch(/longhaul receive/);
      expect(stdout).toContain('Exit codes: 0 done, 1 failed, 2 usage, 130 interrupted.');
    }
    expect(await Cli.run('--version')).toMatchObject({ code: 0, stdout: `longhaul ${version}\n`, stderr: '' });
  });

  test.each(['send', 'receive'])('of %s name every option, also where required ones are missing', async (command) => {
    const { code, stdout } = await Cli.run(command, '--help');
    expect(code).toBe(0);
    for (const option of ['--state', '--once', '--json', '--history', '--adopt', '--help'])
      expect(stdout).toContain(option);
    expect(stdout).not.toContain('undefined');
  });
});

describe('a command line that cannot be right ends with 2 and says what would be', () => {
  const base = ['--state', '/nowhere/state'];
  const send = ['send', ...base, '--from', '/nowhere', '--to', '127.0.0.1:1'];
  test.each<[string, string[], RegExp]>([
    ['an unknown command', ['sned'], /unknown command "sned"; did you mean send\?/],
    ['an unknown command far from any', ['frobnicate'], /see longhaul --help/],
    ['a name that every object has', ['toString'], /unknown command "toString"/],
    ['an unknown option', ['send', '--form', 'x'], /unknown option --form; did you mean --from\?/],
    ['an option that every object has', [...send, '--constructor'], /unknown option --constructor/],
    ['an option of the other command', [...send, '--into', 'x'], /unknown option --into/],
    ['a short option', ['send', '-x'], /unknown option -x/],
    ['an argument', ['send', 'x'], /takes no argument "x"/],
    ['a required option missing', ['send', ...base, '--from', '/x'], /send needs --to HOST:PORT/],
    ['nothing given', ['receive'], /receive needs --state DIR/],
    ['a value missing', ['send', '--state'], /--state needs a value/],
    ['an empty value', ['send', '--state='], /--state needs a value/],
    ['a value where none belongs', [...send, '--once=yes'], /--once takes no value/],
    ['a value for the background', [...send, '--background=yes'], /--background takes no value/],
    ['an option given twice', [...send, '--to', '127.0.0.1:2'], /--to is given twice/],
    ['an address without a port', ['send', ...base, '--from', '/x', '--to', 'localhost'], /HOST:PORT|port/i],
    ['a port beyond all', ['send', ...base, '--from', '/x', '--to', '127.0.0.1:70000'], /port/i],
    ['a rate that is none', [...send, '--rate', 'fast'], /rate is "fast"; expected a rate such as 20mbit/],
    [
      'a rate at a time that is none',
      [...send, '--schedule', 'monday 5mbit'],
      /schedule is "monday 5mbit"; expected days/,
    ],
    [
      'the second of two rates at a time that is none',
      [...send, '--schedule', 'mon 5mbit', '--schedule', 'noon 5mbit'],
      /schedule is "noon 5mbit"/,
    ],
    [
      'a rate at a time that is empty',
      [...send, '--schedule', '08:00-08:00 5mbit', '--time-zone', 'UTC'],
      /schedule\.rules\[0\]\.to is "08:00"; expected another time than from/,
    ],
    [
      'a time zone that is none',
      [...send, '--schedule', 'mon 5mbit', '--time-zone', 'Berlin'],
      /timeZone is "Berlin"; expected the name of a time zone/,
    ],
    ['a time zone without a schedule', [...send, '--time-zone', 'UTC'], /--time-zone needs --schedule/],
    ['a time zone given twice', [...send, '--time-zone', 'UTC', '--time-zone', 'UTC'], /--time-zone is given twice/],
    [
      'an overhead beyond all',
      [...send, '--link-overhead', '2kib'],
      /linkOverhead is 2048; expected an integer from 0/,
    ],
    ['a compression that is none', [...send, '--compress', 'zip'], /compress is "zip"; expected/],
    ['a size that is none', [...send, '--history', 'much'], /history is "much"; expected a size/],
    ['a time that is none', [...send, '--connect-timeout', 'soon'], /connect-timeout is "soon"; expected a time/],
  ])('%s', async (_, args, message) => {
    const { code, stdout, stderr } = await ask(...args);
    expect(stderr).toMatch(message);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect([code, stdout]).toEqual([2, '']);
  });

  test.each([
    ['an unknown command', ['sned'], /did you mean send\?/],
    ['an unknown option of send', ['send', '--form', 'x'], /did you mean --from\?/],
    ['nothing given to receive', ['receive'], /receive needs --state DIR/],
  ])('%s, to a process of its own', async (_, args, message) => {
    expect(await Cli.run(...args)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(message) });
  });

  test('with --json as one object too', async () => {
    const { code, stdout } = await Cli.run('send', '--json', '--form', 'x');
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toEqual({ error: { code: 'USAGE', message: expect.stringContaining('--from') } });
  });
});

describe('what is refused before anything runs', () => {
  const cases: [string, (dir: string) => string[], string][] = [
    [
      'an address that is not loopback',
      (dir) => ['receive', '--state', `${dir}/s`, '--into', `${dir}/i`, '--listen', '0.0.0.0:0'],
      'IDENTITY_REQUIRED',
    ],
    [
      'a receiver that is not on loopback',
      (dir) => ['send', '--state', `${dir}/s`, '--from', dir, '--to', '192.0.2.1:7'],
      'IDENTITY_REQUIRED',
    ],
    [
      'a source that is not there',
      (dir) => ['send', '--state', `${dir}/s`, '--from', `${dir}/none`, '--to', '127.0.0.1:9'],
      'ROOT_MISSING',
    ],
    [
      'a state inside the source',
      (dir) => ['send', '--state', `${dir}/s`, '--from', dir, '--to', '127.0.0.1:9'],
      'NESTED_DIRECTORIES',
    ],
  ];
  test.each(cases)('%s', async (_, args, code) => {
    const dir = newDirectory();
    const ended = await Cli.run(...args(dir), '--once', '--json');
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain(`[${code}]`);
    expect(JSON.parse(ended.stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
      error: { code, message: expect.any(String) },
    });
  });
});
