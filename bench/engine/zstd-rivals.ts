import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ownAddonPath } from '../../src/engine/load.js';
import type { Workspace } from '../kit/workspace.js';

/** What is compared. */
export interface ZstdSetting {
  name: string;
  level: number;
  windowLog: number;
  longDistance: boolean;
}

/** Others who compress the same file on one thread. */
export interface Rival {
  name: string;
  /** Of one round or a short time. */
  megabytesPerSecond(setting: ZstdSetting): number;
}

/** Those that are here; says which are not. */
export function rivalsOf(work: Workspace, file: string, say: (line: string) => void): Rival[] {
  return [command(file, say), bareCalls(work, file, say)].filter((rival) => rival !== undefined);
}

function command(file: string, say: (line: string) => void): Rival | undefined {
  const version = /v?(\d+\.\d+\.\d+)/.exec(spawnSync('zstd', ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1];
  if (version === undefined) {
    say('the zstd command is not installed, so it is not compared');
    return undefined;
  }
  return {
    name: `zstd -b (${version})`,
    megabytesPerSecond({ level, windowLog, longDistance }) {
      const long = longDistance ? [`--long=${windowLog}`] : [];
      const args = ['-q', `-b${level}`, `-e${level}`, '-i1', '--single-thread', ...long, file];
      const { stdout = '', stderr = '' } = spawnSync('zstd', args, { encoding: 'utf8' });
      const rate = /([\d.]+) MB\/s/.exec(`${stdout}${stderr}`)?.[1];
      if (rate === undefined) throw new Error(`zstd ${args.join(' ')} printed no rate: ${stdout}${stderr}`);
      return Number(rate);
    },
  };
}

/** The library that the addon contains, called by a program of a few lines. */
function bareCalls(work: Workspace, file: string, say: (line: string) => void): Rival | undefined {
  const root = dirname(dirname(dirname(ownAddonPath())));
  const library = join(root, 'build', 'Release', 'zstd.a');
  const headers = join(
    dirname(createRequire(import.meta.url).resolve('zstd-napi/package.json')),
    'deps',
    'zstd',
    'lib',
  );
  const program = work.at('bare');
  const args = ['-std=c++17', '-O3', '-I', headers, '-o', program, join(root, 'bench', 'engine', 'zstd.cc'), library];
  const compiled = existsSync(library) && spawnSync(process.env.CXX ?? 'g++', args).status === 0;
  if (!compiled) {
    say('there is no compiler or no build/Release/zstd.a, so the bare calls are not compared');
    return undefined;
  }
  return {
    name: 'the bare calls',
    megabytesPerSecond({ level, windowLog, longDistance }) {
      const settings = [level, windowLog, longDistance ? 1 : 2, 12].map(String);
      const { status, stdout, stderr } = spawnSync(program, [file, ...settings], { encoding: 'utf8' });
      if (status !== 0) throw new Error(`the bare calls failed: ${stderr}`);
      const [bytes = 0, , seconds = 0] = stdout.split(' ').map(Number);
      return bytes / 1e6 / seconds;
    },
  };
}
