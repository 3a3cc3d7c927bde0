import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createIdentity, identityOf } from '../../src/index.js';
import { ask, Cli } from '../support/cli.js';
import { newDirectory } from '../support/temp.js';

/** `keygen`, and two commands that know each other by what it made. */

async function keygen(dir: string, ...more: string[]): Promise<string> {
  const { code, stdout, stderr } = await Cli.run('keygen', '--out', dir, ...more);
  expect([code, stderr]).toEqual([0, '']);
  return stdout.trimEnd().split('\n').at(-1) ?? '';
}

describe('longhaul keygen', () => {
  test('prints the id alone on the last line, and keeps the key for its owner', async () => {
    const dir = join(newDirectory(), 'identity');
    const id = await keygen(dir);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect((await identityOf(dir)).id).toBe(id);
    expect(statSync(join(dir, 'key.pem')).mode & 0o777).toBe(0o600);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
  });

  test('with --json as one object', async () => {
    const dir = join(newDirectory(), 'identity');
    const made: unknown = JSON.parse(await keygen(dir, '--json', '--days', '30'));
    const { id, validFrom, validTo } = await identityOf(dir);
    expect(made).toEqual({ id, dir, validFrom: validFrom.toISOString(), validTo: validTo.toISOString() });
  });

  test('does not overwrite a key, but renews its certificate', async () => {
    const dir = join(newDirectory(), 'identity');
    const id = await keygen(dir);
    const key = readFileSync(join(dir, 'key.pem'), 'utf8');
    const { code, stderr } = await Cli.run('keygen', '--out', dir);
    expect([code, stderr]).toEqual([1, expect.stringContaining('[IDENTITY_EXISTS]')]);
    expect(await keygen(dir, '--renew', '--days', '7')).toBe(id);
    expect(readFileSync(join(dir, 'key.pem'), 'utf8')).toBe(key);
  });

  test.each([
    ['no directory', [], /keygen needs --out DIR/],
    ['no number of days', ['--out', '/nowhere/x', '--days', 'ten'], /--days is "ten"; expected a whole number/],
    ['too many days', ['--out', '/nowhere/x', '--days', '40000'], /days is 40000; expected an integer from 1 to 36500/],
  ])('with %s ends with 2', async (_, args, message) => {
    const { code, stderr } = await ask('keygen', ...args);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });
});

interface Ends {
  dir: string;
  ids: { send: string; receive: string; other: string };
  receive: Cli;
  send: (identity: string, allow: string, ...more: string[]) => Cli;
}

/** A receiver with an identity that allows the sender's, on an address of loopback. */
async function ends(
  make = async (dir: string) => (await createIdentity({ dir })).id,
  ...more: string[]
): Promise<Ends> {
  const dir = newDirectory();
  const at = (name: string): string => join(dir, name);
  mkdirSync(at('source'));
  writeFileSync(at('source/greeting'), 'hello');
  const [send = '', receive = '', other = ''] = await Promise.all(
    ['send', 'receive', 'other'].map((name) => make(at(`id-${name}`))),
  );
  const ids = { send, receive, other };
  const process = Cli.start([
    ...['receive', '--state', at('in'), '--into', at('into'), '--listen', '127.0.0.1:0'],
    ...['--identity', at('id-receive'), '--allow', 'e'.repeat(64), '--allow', ids.send, ...more],
  ]);
  const port = await process.port();
  return {
    dir,
    ids,
    receive: process,
    send: (identity, allow, ...options) =>
      Cli.start([
        ...['send', '--state', at('out'), '--from', at('source'), '--to', `127.0.0.1:${port}`, '--once', '--json'],
        ...['--identity', at(`id-${identity}`), '--allow', allow, ...options],
      ]),
  };
}

describe('send and receive with identities', () => {
  test('bring a directory over', async () => {
    const { dir, ids, receive, send } = await ends(keygen, '--once', '--json');
    const sent = await send('send', ids.receive).summary();
    expect(sent).toMatchObject({ code: 0, verified: true, stages: { tls: { bytesOut: expect.any(Number) } } });
    const received = await receive.summary();
    expect(received).toMatchObject({ code: 0, verified: true, wireBytesReceived: sent.wireBytesSent });
    expect(readFileSync(join(dir, 'into', 'greeting'), 'utf8')).toBe('hello');
  });

  test('refuse a receiver with another id than was expected', async () => {
    const { ids, send } = await ends();
    const ended = await send('send', ids.other).summary();
    expect(ended).toMatchObject({
      code: 1,
      error: { code: 'IDENTITY_REFUSED', presented: ids.receive, own: ids.send },
    });
  });

  test('tell a sender that it is most likely not allowed, and the receiver who it was, once', async () => {
    const { ids, receive, send } = await ends();
    for (let round = 0; round < 2; round++) {
      const ended = await send('other', ids.receive).summary();
      expect(ended).toMatchObject({ code: 1, error: { code: 'IDENTITY_NOT_ALLOWED', own: ids.other } });
    }
    await receive.said(new RegExp(`refused a connection from 127.0.0.1: .*${ids.other}.*\\[IDENTITY_REFUSED\\]`));
    const socket = connect(await receive.port(), '127.0.0.1').on('error', () => {});
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await receive.said(/\[TLS_REQUIRED\]/);
    socket.destroy();
    expect(receive.stderr.match(/IDENTITY_REFUSED/g)).toHaveLength(1);
  });

  test('without an identity get nowhere', async () => {
    const { dir, receive } = await ends();
    const to = `127.0.0.1:${await receive.port()}`;
    const args = ['--state', join(dir, 'plain'), '--from', join(dir, 'source'), '--to', to, '--connect-timeout', '1s'];
    expect((await Cli.run('send', ...args, '--once')).code).toBe(1);
    expect(receive.stderr).toMatch(/\[TLS_REQUIRED\]/);
  });

  test.each([
    ['one without whom it allows', ['--identity', 'x'], 2, 'INVALID_ARGUMENT'],
    ['an id that is none', ['--identity', 'x', '--allow', 'me'], 2, 'INVALID_ARGUMENT'],
    ['an identity that is not there', ['--identity', '/nowhere/x', '--allow', 'a'.repeat(64)], 1, 'IDENTITY_INVALID'],
  ])('say what is wrong with %s', async (_, options, code, error) => {
    const dir = newDirectory();
    const args = ['--state', join(dir, 'in'), '--into', join(dir, 'into'), '--listen', '127.0.0.1:0', ...options];
    const ended = await Cli.start(['receive', ...args, '--json']).summary();
    expect(ended).toMatchObject({ code, error: { code: error } });
  });
});
