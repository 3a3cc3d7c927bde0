import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What is compiled into the addon besides our own code, and where its licence is to be found. */
const COMPONENTS: { name: string; file: string; cut?: RegExp }[] = [
  { name: 'zstd', file: 'zstd-napi/deps/zstd/LICENSE' },
  { name: 'xxHash', file: 'xxhash-addon/xxHash/xxhash.h', cut: /^\/\*\n([\s\S]*?)^ \*\/$/m },
  { name: 'node-addon-api', file: 'node-addon-api/LICENSE.md' },
];

/** Upstream has two licences and packs none of them: https://github.com/BLAKE3-team/BLAKE3. */
const BLAKE3 = 'BLAKE3 is released into the public domain with CC0 1.0, or under the Apache License 2.0.';

/** The licence of a package with the addon: ours, and what those of the others ask to be reproduced. */
export function notices(root: string): string {
  const parts = COMPONENTS.map(({ name, file, cut }) => {
    const text = readFileSync(join(root, 'node_modules', file), 'utf8');
    const licence = cut === undefined ? text : (cut.exec(text)?.[1] ?? '').replaceAll(/^ \* ?/gm, '');
    if (!licence.includes('Copyright')) throw new Error(`there is no licence in ${file}`);
    return section(name, licence);
  });
  return [readFileSync(join(root, 'LICENSE'), 'utf8'), ...parts, section('BLAKE3', BLAKE3)].join('\n');
}

function section(name: string, text: string): string {
  return `${'-'.repeat(80)}\nThis package contains code of ${name}:\n\n${text.trim()}\n`;
}
