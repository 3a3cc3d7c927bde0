import { accessSync, constants, readFileSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { sep } from 'node:path';

/** Where syncs are measured: a directory on a disk, and the word which file system that is. */

const MOUNTS = '/proc/self/mountinfo';
const IN_MEMORY = new Set(['tmpfs', 'ramfs']);

/** `asked`, or else the temporary directory, or the current one where the temporary one is kept in memory. */
export function realDisk(asked: string | undefined, say: (line: string) => void): string {
  const candidates = asked === undefined ? [tmpdir(), process.cwd()] : [asked];
  const usable = candidates.filter(writable);
  const dir = usable.find((one) => !IN_MEMORY.has(fileSystemOf(one))) ?? usable[0];
  if (dir === undefined) throw new Error(`cannot write to ${candidates.join(' or ')}`);
  const type = fileSystemOf(dir);
  say(`in ${dir}, file system ${type}`);
  if (IN_MEMORY.has(type)) say(`${type} is memory: a sync costs nothing here, and no figure tells of a disk`);
  return dir;
}

/** The type of the innermost mount that holds `dir`; `unknown` where the system does not tell. */
export function fileSystemOf(dir: string, mounts = readMounts()): string {
  const path = realpathSync(dir);
  let innermost = { point: '', type: 'unknown' };
  for (const line of mounts.split('\n')) {
    const [left = '', right = ''] = line.split(' - ');
    const point = unescaped(left.split(' ')[4] ?? '');
    const type = right.split(' ')[0] ?? '';
    const holds = point === sep || path === point || path.startsWith(point + sep);
    if (point !== '' && holds && point.length >= innermost.point.length) innermost = { point, type };
  }
  return innermost.type;
}

/** Spaces and the like stand there as octal numbers. */
function unescaped(point: string): string {
  return point.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function readMounts(): string {
  try {
    return readFileSync(MOUNTS, 'utf8');
  } catch {
    return '';
  }
}

function writable(dir: string): boolean {
  try {
    accessSync(dir, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
