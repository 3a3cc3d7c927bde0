import { basename, join } from 'node:path';
import { BUILT } from '../kit/built.js';
import type { Program } from '../kit/program.js';
import type { End, Link } from './link.js';

/** Starts a program of our own at one end, as compiled from `path` (without its ending); it is given lines, see `write`. */
export function runScript(link: Link, end: End, path: string, ...args: readonly string[]): Program {
  return link.run(end, basename(path), process.execPath, [join(BUILT, `${path}.js`), ...args], { input: true });
}
