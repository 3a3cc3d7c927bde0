import type { crashDirectory } from './directory.js';
import type { crashStream } from './stream.js';

/** The scenarios as compiled: they start child processes, which run compiled files. `npm test` builds first. */
export async function crashBuilt(): Promise<{
  crashStream: typeof crashStream;
  crashDirectory: typeof crashDirectory;
}> {
  const at = (name: string): string => new URL(`../../dist/test/crash/${name}.js`, import.meta.url).href;
  const stream = (await import(at('stream'))) as { crashStream: typeof crashStream };
  const directory = (await import(at('directory'))) as { crashDirectory: typeof crashDirectory };
  return { ...stream, ...directory };
}
