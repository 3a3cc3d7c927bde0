import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { engine } from '../../src/index.js';
import { Cli, startReceive, startSend } from '../support/cli.js';
import { compareTrees } from '../support/compare.js';
import { contentOf } from '../support/files.js';
import { atEnd, newDirectory } from '../support/temp.js';
import { makeNastyTree } from '../support/tree.js';
import { until } from '../support/until.js';

let dir: string;
const at = (name: string): string => join(dir, name);

beforeEach(() => {
  dir = newDirectory();
  mkdirSync(at('from'));
});

/** A small tree whose content is known to the byte. */
function fill(): void {
  mkdirSync(at('from/d'));
  for (let i = 0; i < 20; i++) writeFileSync(at(`from/d/file ${i}`), contentOf(i, 20_000));
}

async function sendOnce(to: string, ...more: string[]) {
  return startSend(at('out'), at('from'), to, '--once', '--json', ...more).summary();
}

describe('send --once and receive --once', () => {
  test('make directories that are missing, copy everything, agree in their summaries, and end', async () => {
    await makeNastyTree(at('from'));
    const { receive, to } = await startReceive(at('new/in'), at('new/into'), '--once', '--json');
    const sent = await sendOnce(to);
    const received = await receive.summary();
    expect(compareTrees(at('from'), at('new/into'))).toEqual([]);
    expect(sent).toMatchObject({ code: 0, verified: true });
    expect(received).toMatchObject({ code: 0, verified: true });
    for (const summary of [sent, received]) {
      expect(Object.keys(summary)).toEqual(
        expect.arrayContaining([
          'records',
          'sourceBytes',
          'wireBytesSent',
          'wireBytesReceived',
          'stages',
          'seconds',
          'verified',
        ]),
      );
    }
    expect(received.records).toBe(sent.records);
    expect(received.sourceBytes).toBe(sent.sourceBytes);
    expect(received.wireBytesReceived).toBe(sent.wireBytesSent);
    expect(received.wireBytesSent).toBe(sent.wireBytesReceived);
    const stages = sent.stages as Record<string, { bytesIn: number; bytesOut: number; milliseconds: number }>;
    expect((stages.frame?.bytesOut ?? 0) + (stages.control?.bytesOut ?? 0)).toBe(sent.wireBytesSent);
    for (const stage of Object.values(stages))
      expect(Object.keys(stage).sort()).toEqual(['bytesIn', 'bytesOut', 'milliseconds']);
    expect(sent.files).toMatchObject({ moved: 0, removed: 0, repaired: 0, skipped: 2 });
  });

  test('leave nothing to do for the next run, and the replica holds nothing of ours', async () => {
    fill();
    for (const run of [1, 2, 3]) {
      const { receive, to } = await startReceive(at('in'), at('into'), '--once', '--json');
      const sent = await sendOnce(to);
      expect((await receive.ended).code).toBe(0);
      expect(sent).toMatchObject({ code: 0, verified: true });
      if (run > 1) expect(sent).toMatchObject({ records: 0, sourceBytes: 0 });
      if (run > 1) expect(sent.wireBytesSent).toBeLessThan(2000);
    }
    expect(readdirSync(at('into'))).toEqual(['d']);
    expect(compareTrees(at('from'), at('into'))).toEqual([]);
  });

  test('of an empty directory are a copy too', async () => {
    const { receive, to } = await startReceive(at('in'), at('into'), '--once');
    const sent = await sendOnce(to);
    expect(sent).toMatchObject({ code: 0, verified: true });
    expect((await receive.ended).code).toBe(0);
    expect(compareTrees(at('from'), at('into'))).toEqual([]);
  });

  test('tell a person in words', async () => {
    fill();
    const { receive, to } = await startReceive(at('in'), at('into'), '--once');
    const { code, stdout } = await startSend(at('out'), at('from'), to, '--once').ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/20 files in the source: 20 sent/);
    expect(stdout).toMatch(/verified: source and replica agree/);
    expect(stdout).toMatch(/^engine: (native|portable)( \(.+\))?$/m);
    const received = await receive.ended;
    expect(received.stdout).toMatch(/records/);
    expect(received.stderr).toMatch(/listening on 127\.0\.0\.1:\d+/);
  });

  test.each(['none', 'lz4', 'auto', ...(engine.codecs.includes('zstd') ? ['zstd:1'] : [])])(
    'with --compress %s',
    async (compress) => {
      writeFileSync(at('from/text'), contentOf(2, 400_000, true));
      const { to } = await startReceive(at('in'), at('into'));
      const sent = await sendOnce(to, '--compress', compress);
      expect(compareTrees(at('from'), at('into'))).toEqual([]);
      if (compress === 'none') expect(sent.wireBytesSent).toBeGreaterThan(400_000);
      else expect(sent.wireBytesSent).toBeLessThan(100_000);
    },
  );

  test('with --rate stay below it and close to it', async () => {
    writeFileSync(at('from/noise'), contentOf(1, 1_500_000, false));
    const { to } = await startReceive(at('in'), at('into'));
    const begun = performance.now();
    const sent = await sendOnce(to, '--rate', '8mbit');
    const seconds = (performance.now() - begun) / 1000;
    const ideal = (sent.wireBytesSent as number) / 1_000_000;
    expect(seconds).toBeGreaterThan(0.9 * ideal);
    expect(sent.seconds).toBeLessThan(1.5 * ideal + 1);
  });
});

describe('without --once', () => {
  test('with --background arrive as well', async () => {
    fill();
    const { receive, to } = await startReceive(at('in'), at('into'), '--once', '--json');
    expect(await sendOnce(to, '--background')).toMatchObject({ code: 0, verified: true });
    expect(await receive.summary()).toMatchObject({ code: 0, verified: true });
    expect(compareTrees(at('from'), at('into'))).toEqual([]);
  });

  test('changes follow, until both are interrupted', async () => {
    fill();
    const { receive, to } = await startReceive(at('in'), at('into'));
    const send = startSend(at('out'), at('from'), to, '--interval', '100ms');
    // What goes while it is looked at is not the same yet.
    const agree = (): boolean => {
      try {
        return compareTrees(at('from'), at('into')).length === 0;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
        throw error;
      }
    };
    const same = (): Promise<void> => until('the copy', () => existsSync(at('into')) && agree());
    await same();
    appendFileSync(at('from/d/file 3'), 'more');
    rmSync(at('from/d/file 4'));
    writeFileSync(at('from/new'), 'new');
    await same();
    expect(await send.kill('SIGINT')).toMatchObject({ code: 130 });
    expect(await receive.kill('SIGTERM')).toMatchObject({ code: 130 });
    expect(compareTrees(at('from'), at('into'))).toEqual([]);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    '%s in the middle of a copy ends it, and the next run completes it',
    async (signal) => {
      writeFileSync(at('from/noise'), contentOf(1, 6_000_000, false));
      const { to } = await startReceive(at('in'), at('into'));
      const send = startSend(at('out'), at('from'), to, '--once', '--rate', '16mbit', '--json');
      await until('the first half of it', () => existsSync(at('in/aside/transfer')));
      const ended = await send.kill(signal);
      expect(ended).toMatchObject({ code: 130, signal: null });
      expect(ended.stderr).not.toContain('Error');
      expect(await sendOnce(to)).toMatchObject({ code: 0, verified: true });
      expect(compareTrees(at('from'), at('into'))).toEqual([]);
    },
  );

  test('an interruption while the receiver is away, or was never there, ends at once', async () => {
    fill();
    const send = startSend(at('out'), at('from'), '127.0.0.1:9', '--connect-timeout', '1h');
    await until('the start', () => existsSync(at('out/queue')));
    expect(await send.kill('SIGINT')).toMatchObject({ code: 130 });
  }, 15_000);
});

describe('what goes wrong', () => {
  test('no receiver within --connect-timeout', async () => {
    fill();
    const ended = await startSend(
      at('out'),
      at('from'),
      '127.0.0.1:9',
      '--once',
      '--json',
      '--connect-timeout',
      '300ms',
    ).ended;
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/no receiver at 127\.0\.0\.1:9 within .*\[PEER_UNREACHABLE\]/);
    expect(JSON.parse(ended.stdout)).toMatchObject({ error: { code: 'PEER_UNREACHABLE', port: 9 } });
  });

  test('somebody else at the port, who hangs up', async () => {
    fill();
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    atEnd(() => server.close());
    const { port } = server.address() as { port: number };
    expect(await sendOnce(`127.0.0.1:${port}`, '--connect-timeout', '300ms')).toMatchObject({
      code: 1,
      error: { code: 'CONNECTION_LOST' },
    });
  });

  test('a receiver that comes a little later is waited for', async () => {
    fill();
    const { receive, to } = await startReceive(at('in'), at('into'));
    await receive.kill('SIGTERM');
    const send = startSend(at('out'), at('from'), to, '--once', '--json');
    const late = Cli.start(['receive', '--state', at('in'), '--into', at('into'), '--listen', to]);
    expect(await send.summary()).toMatchObject({ code: 0, verified: true });
    await late.kill();
  });

  test('a port that is in use', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    atEnd(() => server.close());
    const { port } = server.address() as { port: number };
    const ended = await Cli.run(
      'receive',
      '--state',
      at('in'),
      '--into',
      at('into'),
      '--listen',
      `127.0.0.1:${port}`,
      '--json',
    );
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.stdout)).toMatchObject({ error: { code: 'ADDRESS_IN_USE', port, recoverable: true } });
  });

  test('a replica directory that holds something else', async () => {
    mkdirSync(at('into'));
    writeFileSync(at('into/mine'), 'x');
    const ended = await Cli.run('receive', '--state', at('in'), '--into', at('into'), '--listen', '127.0.0.1:0');
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toContain('[REPLICA_NOT_EMPTY]');
    expect(readdirSync(at('into'))).toEqual(['mine']);
  });

  test('a state directory in use, named with the process', async () => {
    fill();
    const { receive, to } = await startReceive(at('in'), at('into'));
    const second = await Cli.run('receive', '--state', at('in'), '--into', at('into'), '--listen', '127.0.0.1:0');
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(new RegExp(`in use by process ${receive.child.pid}.*\\[STATE_LOCKED\\]`));
    expect(await sendOnce(to)).toMatchObject({ code: 0 });
  });

  test('a receiver of another volume', async () => {
    fill();
    const { to } = await startReceive(at('in'), at('into'));
    await sendOnce(to);
    const other = await startSend(at('other'), at('from'), to, '--once', '--json').summary();
    expect(other).toMatchObject({
      code: 1,
      error: { code: 'VOLUME_MISMATCH', message: expect.stringContaining('--adopt') },
    });
    const adopted = await startSend(at('other'), at('from'), to, '--once', '--json', '--adopt').summary();
    expect(adopted).toMatchObject({ code: 0, verified: true });
  });

  test('most files gone from the source', async () => {
    for (let i = 0; i < 150; i++) writeFileSync(at(`from/${i}`), 'x');
    const { to } = await startReceive(at('in'), at('into'));
    await sendOnce(to);
    for (let i = 0; i < 100; i++) rmSync(at(`from/${i}`));
    expect(await sendOnce(to)).toMatchObject({ code: 1, error: { code: 'MASS_DELETE', deletions: 100 } });
    expect(readdirSync(at('into'))).toHaveLength(150);
    expect(await sendOnce(to, '--allow-mass-delete')).toMatchObject({ code: 0, files: { removed: 100 } });
  });
});
