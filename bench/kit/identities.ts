import { createIdentity } from '../../src/index.js';
import type { Workspace } from './workspace.js';

/** What one end has to prove who it is, and whom it takes: options of a sender or a receiver. */
export interface Known {
  identity: string;
  allow: string[];
}

/** Makes identities for two ends that know each other. */
export async function makeIdentities(work: Workspace): Promise<{ near: Known; far: Known }> {
  const dirs = { near: work.at('identity-near'), far: work.at('identity-far') };
  const [near, far] = [await createIdentity({ dir: dirs.near }), await createIdentity({ dir: dirs.far })];
  return { near: { identity: dirs.near, allow: [far.id] }, far: { identity: dirs.far, allow: [near.id] } };
}
