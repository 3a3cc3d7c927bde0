import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { engine } from '../../src/engine/engine.js';

/** What the tests of the codec work on. */

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** Source text of a few megabytes. */
export const realText = (): Buffer => readFileSync(`${modules}/typescript/lib/_tsc.js`);
/** A program for the machine, which compresses badly. */
export const realProgram = (): Buffer => readFileSync(process.execPath).subarray(0, 3_000_001);
/** The same file of two releases of a package. */
export const olderRelease = (): Buffer => readFileSync(`${modules}/zstd-napi/node_modules/node-addon-api/napi-inl.h`);
export const newerRelease = (): Buffer => readFileSync(`${modules}/node-addon-api/napi-inl.h`);

/** Only the native engine has the codec. */
export const zstdHere = engine.codecs.includes('zstd');

/** The error's code, or what came instead. */
export async function codeOf(settling: Promise<unknown>): Promise<unknown> {
  try {
    return await settling;
  } catch (error) {
    return (error as { code?: string }).code;
  }
}
