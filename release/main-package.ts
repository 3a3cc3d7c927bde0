import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Platform } from '../src/engine/platform-package.js';
import { publishedManifest, readManifest } from './manifest.js';
import { npmPack } from './npm.js';

const COMPILED = /^dist\/(.*?)([.]d[.]ts|[.]js([.]map)?)$/;

/** Lays out the package that consumers install, file by file as npm would pack it from the checkout. */
export async function layOutMainPackage(root: string, to: string, platforms: readonly Platform[]): Promise<void> {
  for (const path of await packedFiles(root)) {
    mkdirSync(dirname(join(to, path)), { recursive: true });
    copyFileSync(join(root, path), join(to, path));
  }
  writeJson(join(to, 'package.json'), publishedManifest(readManifest(root), platforms));
}

/** The files, without what was compiled from sources that are gone: the compiler leaves such behind. */
export async function packedFiles(root: string): Promise<string[]> {
  const { files } = await npmPack(root, '--dry-run');
  return files
    .map(({ path }) => path)
    .filter((path) => {
      const source = COMPILED.exec(path)?.[1];
      return source === undefined || existsSync(join(root, `${source}.ts`));
    });
}

export function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}
