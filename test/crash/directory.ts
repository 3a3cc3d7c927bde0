import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Random } from '../../fuzz/random.js';
import { compareTrees } from '../support/compare.js';
import { at, contentOf, listTree, type TreePath } from '../support/files.js';
import { mutate } from '../support/mutations.js';
import { makeRandomTree } from '../support/tree.js';
import { Child } from './child.js';

/**
 * A directory is copied, changed and copied again while both processes are killed at random moments. After every kill
 * each file of the replica must be whole: content that the source has had at some time. At the end both are the same.
 */

export interface DirectoryScenario {
  dir: string;
  random: Random;
  kills: number;
  /** Small files, and large ones of this many bytes. */
  entries: number;
  largeBytes: number;
  /** The longest time that both processes are left alone, in milliseconds. */
  lifeMsMax: number;
  log: (line: string) => void;
}

const COMMAND = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const LARGE_FILES = 2;
const FINAL_RUNS_MAX = 5;

export async function crashDirectory(scenario: DirectoryScenario): Promise<string[]> {
  const { dir, random, kills, log } = scenario;
  const source = join(dir, 'source');
  const replica = join(dir, 'replica');
  mkdirSync(source, { recursive: true });
  makeRandomTree(source, random, { entries: scenario.entries, fileBytesMax: 60_000 });
  for (let i = 0; i < LARGE_FILES; i++) {
    writeFileSync(join(source, `large ${i}`), contentOf(random.u32(), scenario.largeBytes, false));
  }
  const versions = new Versions();
  versions.note(source);
  const address = `127.0.0.1:${await freePort()}`;
  const receiver = new Child('receiver', [
    COMMAND,
    'receive',
    '--state',
    join(dir, 'in'),
    '--into',
    replica,
    '--listen',
    address,
  ]);
  const sender = new Child('sender', [
    ...[COMMAND, 'send', '--state', join(dir, 'out'), '--from', source, '--to', address],
    ...['--once', '--json', '--allow-mass-delete'],
  ]);
  const problems: string[] = [];
  receiver.start();
  sender.start();
  try {
    for (let kill = 1; kill <= kills && problems.length === 0; kill++) {
      await pause(random.between(0, scenario.lifeMsMax));
      const victim = random.pick([sender, receiver]);
      const finished = !sender.isRunning;
      await victim.kill();
      problems.push(...receiver.held(() => versions.strangers(replica)));
      log(`kill ${kill}: ${victim.name}${finished ? ', the run before was complete' : ''}`);
      // Nothing changes while it is read, so that each version of a file is known; in the middle of a run it may.
      if (finished || (victim === sender && random.chance(0.5))) {
        mutate(source, random, 20);
        versions.note(source);
      }
      if (!receiver.isRunning) receiver.start();
      if (!sender.isRunning) sender.start();
    }
    problems.push(...(await finish(sender, log)));
  } finally {
    await sender.kill();
    await receiver.stop();
  }
  return [...problems, ...compareTrees(source, replica)];
}

async function finish(sender: Child, log: (line: string) => void): Promise<string[]> {
  for (let run = 1; run <= FINAL_RUNS_MAX; run++) {
    if ((await sender.exited()) === 0) return [];
    log(`the sender had to be started again: ${sender.errors.split('\n').slice(-2)[0] ?? ''}`);
    sender.start();
  }
  return [`the sender did not finish in ${FINAL_RUNS_MAX} runs: ${sender.errors}`];
}

/** Every content that the source has ever had, by digest. */
class Versions {
  readonly #known = new Set<string>();

  note(root: string): void {
    for (const path of filesOf(root)) this.#known.add(digest(root, path));
  }

  /** A system call that was under way when the process was held may still take a file away. */
  #isKnown(root: string, path: TreePath): boolean {
    try {
      return this.#known.has(digest(root, path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
      throw error;
    }
  }

  /** Files of the replica with a content that the source never had. */
  strangers(root: string): string[] {
    return filesOf(root)
      .filter((path) => !this.#isKnown(root, path))
      .map((path) => `${JSON.stringify(path)} has a content that the source never had`);
  }
}

function filesOf(root: string): TreePath[] {
  try {
    return listTree(root)
      .filter((item) => item.kind === 'file')
      .map((item) => item.path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function digest(root: string, path: TreePath): string {
  return createHash('sha1')
    .update(readFileSync(at(root, path)))
    .digest('base64');
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
