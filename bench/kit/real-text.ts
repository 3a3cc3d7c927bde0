import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Whole pieces of the compiler's own source, which every checkout has. */
export function realText(pieceBytes: number, countMax: number): Uint8Array[] {
  const folder = dirname(createRequire(import.meta.url).resolve('typescript'));
  const files = readdirSync(folder).filter((file) => file.endsWith('.js'));
  const text = Buffer.concat(files.sort().map((file) => readFileSync(join(folder, file))));
  const count = Math.min(countMax, Math.floor(text.length / pieceBytes));
  return Array.from({ length: count }, (_, i) => text.subarray(i * pieceBytes, (i + 1) * pieceBytes));
}
