import { INSTALL, loadRival } from '../../kit/rivals.js';
import type { Contender, ReadableStore, Rival } from '../store.js';
import { betterSqlite3 } from './better-sqlite3.js';
import { classicLevel } from './classic-level.js';
import { hypercore } from './hypercore.js';
import { lmdb } from './lmdb.js';

const RIVALS: readonly Rival[] = [lmdb, betterSqlite3, classicLevel, hypercore];

/** Those that are installed. */
export function installedRivals(say: (line: string) => void): Contender<ReadableStore>[] {
  const found = RIVALS.map((rival) => ({ rival, loaded: loadRival(rival.package) }));
  const missing = found.filter(({ loaded }) => loaded === undefined).map(({ rival }) => rival.package);
  if (missing.length > 0) say(`not compared with ${missing.join(', ')}: ${INSTALL} installs what is missing`);
  return found.flatMap(({ rival, loaded }) => {
    if (loaded === undefined) return [];
    say(`compared with ${rival.package} ${loaded.version}`);
    return [rival.contender(loaded.exports)];
  });
}
