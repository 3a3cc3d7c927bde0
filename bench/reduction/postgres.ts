import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, sep } from 'node:path';
import { Workspace } from '../kit/workspace.js';
import type { ChangeSet, Preparation } from './change-set.js';
import { filesIn } from './directories.js';
import { addContent, captureIn, type PageCapture, pageSet } from './pages.js';
import { RecordWriter } from './record-file.js';

/**
 * A PostgreSQL database under pgbench. A round is some transactions and a checkpoint; the pages that differ then from the
 * round before are its writes, in the order of the files. The write-ahead log, which is a file of its own that only
 * grows, is left out: what is measured is pages.
 */

const PAGE_BYTES = 8192;
/** Also names the capture in the cache: whatever changes the workload changes it too. */
const SEED = 20261121;
const MIB = 1024 * 1024;
const PROGRAMS = ['postgres', 'initdb', 'pgbench', 'psql'];
const LOG_FOLDER = `pg_wal${sep}`;
const DATABASE = 'postgres';

interface Scale {
  /** pgbench's own unit: 100,000 accounts, some 15 MB. */
  scale: number;
  transactionsARound: number;
  writeBytes: number;
}

const FULL: Scale = { scale: 8, transactionsARound: 1000, writeBytes: 200 * MIB };
const TINY: Scale = { scale: 1, transactionsARound: 20, writeBytes: MIB / 4 };

export async function postgres(o: Preparation): Promise<ChangeSet | undefined> {
  const missing = PROGRAMS.filter((name) => spawnSync(name, ['--version']).status !== 0);
  const user = unprivileged();
  if (missing.length > 0 || user === undefined) {
    const why = missing.length > 0 ? `${missing.join(', ')} cannot be run` : 'it refuses to run as root';
    o.say(`PostgreSQL is left out: ${why}`);
    return undefined;
  }
  const dir = await o.prepared(`postgres-${SEED}`, (into) => capture(captureIn(into), o.tiny ? TINY : FULL, user));
  return pageSet('PostgreSQL', captureIn(dir), PAGE_BYTES);
}

/** Whom the server runs as: ourselves, or `nobody` where we are root; undefined where there is no such user. */
function unprivileged(): { uid: number; gid: number } | undefined {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  if (uid !== 0) return { uid, gid };
  const [nobody, group] = ['-u', '-g'].map((which) => spawnSync('id', [which, 'nobody'], { encoding: 'utf8' }));
  if (nobody?.status !== 0 || group?.status !== 0) return undefined;
  return { uid: Number(nobody?.stdout), gid: Number(group?.stdout) };
}

async function capture(
  { before, after, content, writes }: PageCapture,
  { scale, transactionsARound, writeBytes }: Scale,
  user: { uid: number; gid: number },
): Promise<void> {
  const work = await Workspace.open('postgres');
  try {
    const server = await Server.start(work, user);
    await server.call('pgbench', ['-q', '-i', '-s', String(scale)]);
    await server.checkpoint();
    copyPages(server.data, before);
    const known: Pages = new Map();
    const contentWriter = new RecordWriter(content);
    for (const path of await filesIn(before)) addContent(contentWriter, path, join(before, path));
    contentWriter.close();
    const writer = new RecordWriter(writes);
    await addChanges(before, known);
    for (let round = 0; writer.payloadBytes < writeBytes; round++) {
      const each = ['-n', '-t', String(transactionsARound), `--random-seed=${SEED + round}`];
      await server.call('pgbench', each);
      await server.checkpoint();
      await addChanges(server.data, known, writer);
    }
    writer.close();
    copyPages(server.data, after);
  } finally {
    await work.close();
  }
}

/** The content of each file so far. */
type Pages = Map<string, Buffer>;

/** Adds each page that is not what it was, and remembers it. */
async function addChanges(data: string, known: Pages, writer?: RecordWriter): Promise<void> {
  for (const path of (await filesIn(data)).filter((path) => !path.startsWith(LOG_FOLDER))) {
    const [now, was] = [readFileSync(join(data, path)), known.get(path) ?? Buffer.alloc(0)];
    for (let offset = 0; offset < now.length && writer !== undefined; offset += PAGE_BYTES) {
      const payload = now.subarray(offset, offset + PAGE_BYTES);
      if (!payload.equals(was.subarray(offset, offset + PAGE_BYTES))) writer.add({ key: path, offset, payload });
    }
    known.set(path, now);
  }
}

function copyPages(data: string, into: string): void {
  cpSync(data, into, { recursive: true, preserveTimestamps: true });
  rmSync(join(into, LOG_FOLDER), { recursive: true });
  // A copy of root's belongs to root; others may read what they made themselves.
  chmodSync(into, 0o755);
}

/** A server that listens on a socket in the workspace and nowhere else. */
class Server {
  readonly data: string;
  readonly #work: Workspace;
  readonly #user: { uid: number; gid: number };

  private constructor(work: Workspace, user: { uid: number; gid: number }) {
    this.#work = work;
    this.#user = user;
    this.data = work.at('server', 'data');
  }

  static async start(work: Workspace, user: { uid: number; gid: number }): Promise<Server> {
    const server = new Server(work, user);
    // The server's own user has to get through.
    chmodSync(work.dir, 0o711);
    mkdirSync(work.at('server'));
    chownSync(work.at('server'), user.uid, user.gid);
    await server.#run('initdb', [
      '-D',
      server.data,
      '--no-sync',
      '-E',
      'UTF8',
      '--locale=C',
      '-A',
      'trust',
      '-U',
      DATABASE,
    ]);
    const settings = [
      'listen_addresses=',
      `unix_socket_directories=${work.at('server')}`,
      'fsync=off',
      'autovacuum=off',
    ];
    // A checkpoint of its own would only write what ours writes anyway.
    settings.push('checkpoint_timeout=1h', 'max_wal_size=8GB', 'logging_collector=off');
    const options = settings.flatMap((setting) => ['-c', setting]);
    const running = server.#start('postgres', ['-D', server.data, ...options]);
    await running.line(/ready to accept connections/);
    return server;
  }

  checkpoint(): Promise<void> {
    return this.call('psql', ['-q', '-c', 'CHECKPOINT']);
  }

  /** A client, which is told where the server is. */
  call(program: string, args: readonly string[]): Promise<void> {
    return this.#run(program, ['-h', this.#work.at('server'), '-U', DATABASE, ...args, DATABASE]);
  }

  #run(program: string, args: readonly string[]): Promise<void> {
    return this.#start(program, args).succeeded();
  }

  #start(program: string, args: readonly string[]) {
    return this.#work.run(program, program, args, { user: this.#user, cwd: this.#work.at('server') });
  }
}
