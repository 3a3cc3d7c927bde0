import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { engine } from '../../src/engine/engine.js';
import { ask } from '../support/cli.js';
import { Running, receiver, run } from '../support/command.js';
import { compareTrees } from '../support/compare.js';
import { newDirectory } from '../support/temp.js';
import { until } from '../support/until.js';

/** The command line: usage, exit codes, the summary, and what a person is told when something is wrong. */

function places(): { source: string; out: string; inn: string; into: string } {
  const dir = newDirectory();
  const source = join(dir, 'source');
  mkdirSync(source);
  for (let i = 0; i < 20; i++) writeFileSync(join(source, `file ${i}`), `content ${i} `.repeat(100 * i));
  return { source, out: join(dir, 'out'), inn: join(dir, 'in'), into: join(dir, 'into') };
}

describe('usage', () => {
  test.each([
    [['--help'], 0, /longhaul send/],
    [['send', '--help'], 0, /--compress HOW/],
    [['receive', '--help'], 0, /--into DIR/],
    [['--version'], 0, /^longhaul \d+\.\d+\.\d+/],
  ])('longhaul %j is answered on standard output', async (args, code, says) => {
    const ended = await run(...args);
    expect(ended.code).toBe(code);
    expect(ended.stdout).toMatch(says);
  });

  test.each([
    [['sned'], /did you mean send\?/],
    [['constructor'], /unknown command/],
    [['send', '--stat', 'x'], /did you mean --state\?/],
    [['send', '--toString'], /unknown option/],
    [['send', '--state', 'x'], /needs --from/],
    [['receive', '--state'], /--state needs a value/],
    [['receive', 'extra'], /takes no argument/],
    [['send', '--state', 'a', '--state', 'b'], /given twice/],
    [['send', '--state', 'a', '--from', '.', '--to', 'nowhere'], /HOST:PORT/],
    [['send', '--state', 'a', '--from', '.', '--to', '127.0.0.1:1', '--rate', 'fast'], /20mbit/],
    [['send', '--state', 'a', '--from', '.', '--to', '127.0.0.1:1', '--compress', 'zip'], /auto, none, lz4 or zstd/],
  ])('longhaul %j is refused with exit code 2', async (args, says) => {
    const ended = await ask(...args);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(says);
  });
});

describe('a copy', () => {
  test('ends both commands with a summary, and the next run sends nothing', async () => {
    const { source, out, inn, into } = places();
    for (const isFirst of [true, false]) {
      const { process, address } = await receiver('--state', inn, '--into', into, '--once', '--json');
      const sent = await run('send', '--state', out, '--from', source, '--to', address, '--once', '--json');
      const received = await process.ended;
      expect([sent.code, received.code]).toEqual([0, 0]);
      expect(compareTrees(source, into)).toEqual([]);
      for (const { json } of [sent, received]) expect(json).toMatchObject({ verified: true, engine });
      const stages = sent.json?.stages as Record<string, { bytesOut: number }>;
      expect((stages.frame?.bytesOut ?? 0) + (stages.control?.bytesOut ?? 0)).toBe(sent.json?.wireBytesSent);
      expect(sent.json?.wireBytesSent).toBe(received.json?.wireBytesReceived);
      expect(sent.json?.wireBytesReceived).toBe(received.json?.wireBytesSent);
      if (isFirst) expect(sent.json?.records).toBeGreaterThan(20);
      else expect(sent.json).toMatchObject({ records: 0, sourceBytes: 0 });
    }
  });

  test('goes on looking for changes until it is interrupted', async () => {
    const { source, out, inn, into } = places();
    const { process: receiving, address } = await receiver('--state', inn, '--into', into);
    const sending = new Running(['send', '--state', out, '--from', source, '--to', address, '--interval', '50ms']);
    const arrived = (name: string, text: string) => (): boolean => {
      try {
        return readFileSync(join(into, name), 'utf8') === text;
      } catch {
        return false;
      }
    };
    await until('the first copy', arrived('file 1', 'content 1 '.repeat(100)));
    writeFileSync(join(source, 'later'), 'x');
    await until('the change', arrived('later', 'x'));
    sending.kill('SIGINT');
    expect((await sending.ended).code).toBe(130);
    receiving.kill('SIGTERM');
    expect((await receiving.ended).code).toBe(130);
  });
});

describe('what is wrong is told with a code', () => {
  const failure = (code: string): object => ({ code: 1, json: { error: { code } } });

  test('nobody listens', async () => {
    const { source, out } = places();
    const args = ['--state', out, '--from', source, '--to', '127.0.0.1:1', '--connect-timeout', '300ms'];
    expect(await run('send', ...args, '--once', '--json')).toMatchObject(failure('PEER_UNREACHABLE'));
  });

  test('somebody listens who hangs up', async () => {
    const { source, out } = places();
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const args = ['--state', out, '--from', source, '--to', `127.0.0.1:${port}`, '--connect-timeout', '300ms'];
    const ended = await run('send', ...args, '--once', '--json');
    server.close();
    expect(ended).toMatchObject(failure('CONNECTION_LOST'));
  });

  test('a source that is not there', async () => {
    const { source, out } = places();
    const args = ['--state', out, '--from', `${source} missing`, '--to', '127.0.0.1:1', '--once', '--json'];
    expect(await run('send', ...args)).toMatchObject(failure('ROOT_MISSING'));
  });

  test('a replica directory that is not ours, and an address that is not loopback', async () => {
    const { source, inn } = places();
    const args = ['--state', inn, '--into', source, '--json'];
    expect(await run('receive', ...args, '--listen', '127.0.0.1:0')).toMatchObject(failure('REPLICA_NOT_EMPTY'));
    expect(await run('receive', ...args, '--listen', '0.0.0.0:0')).toMatchObject(failure('IDENTITY_REQUIRED'));
  });

  test('a state directory or a port that is in use', async () => {
    const { inn, into } = places();
    const { process, address } = await receiver('--state', inn, '--into', into);
    const again = ['--into', `${into} 2`, '--json', '--listen'];
    expect(await run('receive', '--state', inn, ...again, '127.0.0.1:0')).toMatchObject(failure('STATE_LOCKED'));
    expect(await run('receive', '--state', `${inn} 2`, ...again, address)).toMatchObject(failure('ADDRESS_IN_USE'));
    process.kill('SIGTERM');
    expect((await process.ended).code).toBe(130);
  });
});
