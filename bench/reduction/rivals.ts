import { type Copier, rsyncCopier } from '../kit/copiers.js';
import { rsyncVersion } from '../kit/rsync.js';
import type { Workspace } from '../kit/workspace.js';
import { REPOSITORIES, repositoryCopier } from './repositories.js';
import { patchCopier, zstdVersion } from './zstd.js';

/** Who else brings a copy of a directory up to date. */
export interface Rival {
  name: string;
  /** No program that replicates: what could be reached. */
  limit?: true;
  open(work: Workspace, source: string): Promise<Copier>;
}

const RSYNC = ['-az', '--delete'];
export const PATCH = 'zstd -3 --patch-from';

/** Those that are installed; says which are not. */
export function rivalsHere(say: (line: string) => void): Rival[] {
  const all: (Rival & { version: string | undefined })[] = [
    {
      name: `rsync ${RSYNC.join(' ')}`,
      version: rsyncVersion(),
      open: (work, source) => rsyncCopier(work, source, RSYNC),
    },
    ...REPOSITORIES.map((kind) => ({
      name: kind.name,
      version: kind.version(),
      open: (work: Workspace, source: string) => repositoryCopier(work, source, kind),
    })),
    { name: PATCH, limit: true, version: zstdVersion(), open: patchCopier },
  ];
  const missing = all.filter(({ version }) => version === undefined).map(({ name }) => name);
  if (missing.length > 0) say(`not installed, so there is no comparison with: ${missing.join('; ')}`);
  const here = all.filter(({ version }) => version !== undefined);
  for (const { name, version } of here) say(`compared with ${name}, version ${version}`);
  return here;
}
