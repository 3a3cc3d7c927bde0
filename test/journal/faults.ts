import * as promises from 'node:fs/promises';
import type { JournalFileSystem } from '../../src/journal/journal.js';

/** A file system that counts its calls and makes one of them fail. */

export type FaultCode = 'EIO' | 'ENOSPC' | 'EDQUOT';

export class FaultyFileSystem {
  /** Names of the calls made so far, such as `open` or `file.datasync`. */
  readonly calls: string[] = [];
  /** How many calls reached the file system after one failed. */
  callsAfterFault: string[] = [];
  private failed = false;

  constructor(
    /** Decides by number (from 0) and name which call fails; it fails once. */
    private readonly fails: (index: number, name: string) => boolean = () => false,
    private readonly code: FaultCode = 'EIO',
  ) {}

  /** How many files are open. */
  openFiles = 0;

  readonly fs: JournalFileSystem = this.wrap(promises, '', (result) => {
    if (!isFileHandle(result)) return result;
    this.openFiles++;
    return this.wrap(result, 'file.', (value) => value);
  });

  /** Fails the next call whose name starts so: `file.write` stands for `file.writev` too. */
  failNext(name: string): void {
    this.armed = name;
  }
  private armed: string | undefined;

  /** Has the next call of that name wait until the function that this returns is called. */
  holdNext(name: string): () => void {
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.held = { name, gate };
    return release;
  }
  /** Whether such a call is waiting. */
  holding = false;
  private held: { name: string; gate: Promise<void> } | undefined;

  private wrap<T extends object>(target: T, prefix: string, result: (value: unknown) => unknown): T {
    return new Proxy(target, {
      get: (object, property) => {
        const value: unknown = Reflect.get(object, property);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]) => {
          if (property === 'close') {
            // A close that fails lets go of the file all the same.
            this.openFiles--;
            await (object as promises.FileHandle).close();
            this.count('file.close');
            return undefined;
          }
          const name = `${prefix}${String(property)}`;
          this.count(name);
          if (this.held?.name === name) {
            const { gate } = this.held;
            this.held = undefined;
            this.holding = true;
            await gate;
            this.holding = false;
          }
          return result(await (value as (...all: unknown[]) => unknown).apply(object, args));
        };
      },
    });
  }

  private count(name: string): void {
    if (this.failed) this.callsAfterFault.push(name);
    const index = this.calls.push(name) - 1;
    if (!this.failed && (this.fails(index, name) || (this.armed !== undefined && name.startsWith(this.armed)))) {
      this.failed = true;
      throw Object.assign(new Error(`${this.code}: injected into ${name}`), { code: this.code });
    }
  }
}

function isFileHandle(value: unknown): value is promises.FileHandle {
  return typeof value === 'object' && value !== null && 'datasync' in value;
}
