import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** What every contender is given: payloads cut out of real files, singly and in groups. */

const GROUPS = 32;

export interface Group {
  payloads: readonly Uint8Array[];
  /** The same payloads as one piece of memory, end to end. */
  bytes: Uint8Array;
}

export class Workload {
  readonly groups: readonly Group[];

  /** The groups begin at places spread over all of the files; large ones overlap. */
  constructor(
    readonly payloadBytes: number,
    readonly groupRecords: number,
  ) {
    const source = realFiles();
    const groupBytes = payloadBytes * groupRecords;
    const stride = Math.floor((source.byteLength - groupBytes) / GROUPS);
    this.groups = Array.from({ length: GROUPS }, (_, i) => {
      const bytes = source.subarray(i * stride, i * stride + groupBytes);
      const payloads = Array.from({ length: groupRecords }, (_, j) =>
        bytes.subarray(j * payloadBytes, (j + 1) * payloadBytes),
      );
      return { payloads, bytes };
    });
  }

  feed(): Feed {
    return new Feed(this);
  }
}

/** The payloads in order, over and over. */
export class Feed {
  #payloads = 0;
  #groups = 0;

  constructor(private readonly workload: Workload) {}

  payload(): Uint8Array {
    const { groups, groupRecords } = this.workload;
    const at = this.#payloads++;
    const payload = groups[Math.floor(at / groupRecords) % GROUPS]?.payloads[at % groupRecords];
    if (payload === undefined) throw new Error(`no payload ${at}`);
    return payload;
  }

  group(): Group {
    const group = this.workload.groups[this.#groups++ % GROUPS];
    if (group === undefined) throw new Error('no group');
    return group;
  }
}

let files: Buffer | undefined;

/** Every file of the compiler's package, end to end: 24 MB of text, which every checkout has. */
function realFiles(): Buffer {
  if (files !== undefined) return files;
  const folder = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  files = Buffer.concat(paths.sort().map((path) => readFileSync(path)));
  return files;
}
