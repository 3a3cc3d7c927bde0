import * as promises from 'node:fs/promises';
import type { JournalFileSystem } from '../../src/journal/journal.js';

/** A file system that counts its calls and makes one of them fail. */

export type FaultCode = 'EIO' | 'ENOSPC' | 'EDQUOT';

/**
 * What the call that fails does before it fails: nothing, all of it, or part of what it was to write. A sync that does
 * all of it leaves the data in memory alone, taken for clean, as Linux does, if the file system can play that.
 */
export type FaultDepth = 'nothing' | 'part' | 'all';

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
    private readonly depth: FaultDepth = 'nothing',
    /** What is beneath. */
    beneath: JournalFileSystem = promises,
  ) {
    this.fs = this.wrap(beneath, '', (result) => {
      if (!isFileHandle(result)) return result;
      this.openFiles++;
      return this.wrap(result, 'file.', (value) => value);
    });
  }

  /** How many files are open. */
  openFiles = 0;
  private readonly closed = new WeakSet<object>();

  /** Whether the failure has happened. */
  get struck(): boolean {
    return this.failed;
  }

  readonly fs: JournalFileSystem;

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
            // A close that fails lets go of the file all the same, and a second one does nothing.
            if (this.closed.has(object)) return undefined;
            this.closed.add(object);
            this.openFiles--;
            await (object as promises.FileHandle).close();
            this.count('file.close');
            return undefined;
          }
          const name = `${prefix}${String(property)}`;
          try {
            this.count(name);
          } catch (error) {
            // What the call itself says is no matter.
            await this.before(object, String(property), args).catch(() => {});
            throw error;
          }
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

  /** Carries out as much of a call as it does before it fails. */
  private async before(object: object, name: string, args: unknown[]): Promise<void> {
    if (this.depth === 'nothing' || name === 'open') return;
    const call = (method: string, values: unknown[]) =>
      (Reflect.get(object, method) as (...all: unknown[]) => unknown).apply(object, values);
    if (name === 'sync' || name === 'datasync') {
      if ('failSync' in object) call('failSync', []);
    } else if (this.depth === 'all') {
      await call(name, args);
    } else if (name === 'writev') {
      const bytes = Buffer.concat(args[0] as Buffer[]);
      await call(name, [[bytes.subarray(0, bytes.length / 2)], args[1]]);
    } else if (name === 'write') {
      await call(name, [args[0], args[1], Math.floor((args[2] as number) / 2), args[3]]);
    }
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
