import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { NativeEngineMissingError } from '../errors.js';
import { choiceOption } from '../options.js';
import { type LoadedAddon, loadAddon } from './addon.js';
import type { Kernels } from './kernels.js';
import { ownPackageDirectory } from './own-package.js';
import { installedAddon, ownPlatform, PLATFORMS, packageNameOf } from './platform-package.js';
import { portable } from './portable.js';
import type { ZstdAddon } from './zstd-addon.js';

/** Finds the addon: what was built here, then what was installed; or remembers why there is none. */

export interface LoadedEngine {
  name: 'native' | 'portable';
  kernels: Kernels;
  zstd?: ZstdAddon;
  /** Where the addon in use lies. */
  library?: string;
  /** Why the native engine is not in use, or not the addon that comes first. */
  reason?: string;
  /** Of addons that are there and do not load; that there is none is no fault. */
  faults: readonly Error[];
}

/** One place where an addon may be. */
export interface AddonPlace {
  /** Where it lies; undefined where there is none. Raises an error for one that cannot be the right one. */
  find(): string | undefined;
  /** What is said where there is none. */
  absence: string;
}

/** `choice` is the environment's LONGHAUL_ENGINE: either engine's name, or nothing for the best there is. */
export function loadEngine(choice: string | undefined, places: Iterable<AddonPlace> = ownPlaces()): LoadedEngine {
  const wanted = choiceOption('LONGHAUL_ENGINE', choice || undefined, ['auto', 'native', 'portable'], 'auto');
  const twin = { name: 'portable', kernels: portable } as const;
  if (wanted === 'portable') return { ...twin, reason: 'LONGHAUL_ENGINE is portable', faults: [] };
  const absences: string[] = [];
  const faults: Error[] = [];
  for (const place of places) {
    const found = tryPlace(place);
    if (found === undefined) absences.push(place.absence);
    else if (found instanceof Error) faults.push(found);
    else return { name: 'native', ...found, ...instead(faults, found.library), faults };
  }
  const reason = [...faults.map(({ message }) => message), ...absences].join('; ');
  if (wanted === 'native') throw new NativeEngineMissingError(reason, faults[0]);
  return { ...twin, reason, faults };
}

/** What the build leaves in a checkout, and the package that an installation brings. */
export function* ownPlaces(): Iterable<AddonPlace> {
  const built = ownAddonPath();
  yield { find: () => (existsSync(built) ? built : undefined), absence: `there is no ${built}` };
  const platform = ownPlatform();
  const known = (PLATFORMS as readonly string[]).includes(platform);
  yield {
    find: () => (known ? installedAddon(platform) : undefined),
    absence: known ? `${packageNameOf(platform)} is not installed` : `none is made for ${platform}`,
  };
}

/** Where the build leaves the addon. */
export function ownAddonPath(): string {
  return join(ownPackageDirectory(), 'build', 'Release', 'longhaul.node');
}

function tryPlace(place: AddonPlace): (LoadedAddon & { library: string }) | Error | undefined {
  let library: string | undefined;
  try {
    library = place.find();
    return library === undefined ? undefined : { ...loadAddon(library), library };
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    const message = library === undefined ? cause : `${library} does not load: ${cause.replace(`${library}: `, '')}`;
    return new Error(message, { cause: error });
  }
}

/** What is said of an addon that had to stand in for others. */
function instead(faults: readonly Error[], library: string): { reason?: string } {
  if (faults.length === 0) return {};
  return { reason: [...faults.map(({ message }) => message), `${library} serves instead`].join('; ') };
}
