import { types } from 'node:util';
import { checkBytes, checkInteger, checkRange, INT32_MAX, isShared, refuse, UINT32_MAX } from './arguments.js';
import { type ContentKernels, checkedContent } from './content-kernels.js';
import { PAGE_BYTES } from './pages.js';
import { CHECK_STATE_FIELDS, SEAL_STATE_FIELDS } from './record-layout.js';
import { checkedSocket, type SocketKernels } from './socket-kernels.js';

/** The byte-level work that both engines do, the addon in C++ and its twin in TypeScript. */
export interface Kernels extends ContentKernels, SocketKernels {
  /** XXH64 of the bytes. Only the lower 64 bits of the seed count. */
  checksum64(bytes: Uint8Array, seed: bigint): bigint;

  /** XXH64 of bytes that lie in several parts, one behind the other. Only the lower 64 bits of the seed count. */
  checksumParts(parts: readonly Uint8Array[], seed: bigint): bigint;

  /**
   * Gives the memory of a buffer back at once, so that the garbage collector does not have to look for it; it has no
   * bytes from then on, and neither has any other view of the same memory. False where the buffer is but a part of its
   * memory, or the engine cannot do that; nothing has happened then.
   */
  discard(bytes: Uint8Array): boolean;

  /**
   * Fills in the checksums of the records that lie one after the other in bytes[start, end), by the layout in
   * record-layout.ts, and returns how many there are. `state` holds the `STATE` fields and moves on.
   */
  sealRecords(bytes: Uint8Array, start: number, end: number, state: BigUint64Array): number;

  /**
   * Checks the records in bytes[start, end) one after the other, writes where each sound one starts into `found`, and
   * returns how many those are. `state` has moved on to the last sound one, and says in `STATE.stop` what ended it.
   */
  checkRecords(
    bytes: Uint8Array,
    start: number,
    end: number,
    state: BigUint64Array,
    found: Float64Array | Uint32Array,
  ): number;

  /**
   * Writes all buffers, one after the other from `position`, and with `sync` resolves once they are on the disk. The
   * buffers must not change before that, and the descriptor must stay open. A failure is an Error as Node's own, with
   * `code`, `errno` and `syscall`.
   */
  writeDurable(fd: number, buffers: readonly Uint8Array[], position: number, sync: boolean): Promise<void>;

  /**
   * From now on what this descriptor writes goes past the page cache, as far as whole pages of memory go to whole pages
   * of the file (`allocatePages`); what is otherwise, or what the file system will not do so, goes through the cache as
   * before. False where the system or the engine cannot do that; nothing has happened then.
   */
  bypassCache(fd: number): boolean;

  /** Memory that starts at a page, of `bytes` bytes that hold anything. */
  allocatePages(bytes: number): Buffer;

  /**
   * Gives the file blocks for bytes 0 to `bytes`, lengthening it if need be, so that writing there needs none later.
   * Resolves with false where the file system or the engine cannot do that; nothing has happened then.
   */
  preallocate(fd: number, bytes: number): Promise<boolean>;

  /**
   * Writes zeros to bytes `from` to `to`, multiples of 4096 that nobody else writes to meanwhile, and resolves once they
   * are on the disk. They go past the page cache, so that syncing other parts of the file does not wait for them.
   * Resolves with false where the file system or the engine cannot do that.
   */
  writeZeros(fd: number, from: number, to: number): Promise<boolean>;

  /**
   * Reads many places of a file into memory, one behind the other; `spans` holds a position and a length for each, and the
   * lengths add up to the memory. The disk is asked for all of them at once. Resolves with false when the file ends
   * before one of them does; the memory holds anything then. Neither array may change before that, and the descriptor
   * must stay open. A failure is an Error as Node's own.
   */
  readSpans(fd: number, spans: Float64Array, into: Uint8Array): Promise<boolean>;
}

/**
 * The same kernels, for arguments from anywhere: what is not as it should be raises InvalidArgumentError. An
 * implementation answers malformed records with -1 less their place.
 */
export function checked(kernels: Kernels): Kernels {
  return {
    ...checkedContent(kernels),
    ...checkedSocket(kernels),
    checksum64(bytes, seed) {
      checkBytes('bytes', bytes);
      if (typeof seed !== 'bigint') refuse('seed', seed, 'a bigint');
      return kernels.checksum64(bytes, seed);
    },
    checksumParts(parts, seed) {
      if (!Array.isArray(parts)) refuse('parts', parts, 'an array of Uint8Array');
      for (const part of parts) checkBytes('a part', part);
      if (typeof seed !== 'bigint') refuse('seed', seed, 'a bigint');
      return kernels.checksumParts(parts, seed);
    },
    discard(bytes) {
      checkBytes('bytes', bytes);
      return kernels.discard(bytes);
    },
    sealRecords(bytes, start, end, state) {
      checkRange(bytes, start, end);
      checkState(state, SEAL_STATE_FIELDS);
      const records = kernels.sealRecords(bytes, start, end, state);
      if (records < 0) refuse('bytes', bytes, `whole records, but the one at ${-1 - records} ends behind ${end}`);
      return records;
    },
    checkRecords(bytes, start, end, state, found) {
      checkRange(bytes, start, end);
      checkState(state, CHECK_STATE_FIELDS);
      const wide = types.isFloat64Array(found);
      if (!(wide || (types.isUint32Array(found) && end <= UINT32_MAX)) || isShared(found)) {
        refuse('found', found, 'a Float64Array, or a Uint32Array for offsets of 32 bits');
      }
      return kernels.checkRecords(bytes, start, end, state, found);
    },
    async writeDurable(fd, buffers, position, sync) {
      checkInteger('fd', fd, INT32_MAX);
      checkInteger('position', position, Number.MAX_SAFE_INTEGER);
      if (typeof sync !== 'boolean') refuse('sync', sync, 'true or false');
      if (!Array.isArray(buffers)) refuse('buffers', buffers, 'an array of Uint8Array');
      // A copy, because the caller's array may change while the disk works.
      const list: Uint8Array[] = buffers.slice();
      let end = position;
      for (const buffer of list) end += checkBytes('a buffer', buffer).byteLength;
      checkInteger('the end of the write', end, Number.MAX_SAFE_INTEGER);
      await kernels.writeDurable(fd, list, position, sync);
    },
    bypassCache(fd) {
      checkInteger('fd', fd, INT32_MAX);
      return kernels.bypassCache(fd);
    },
    allocatePages(bytes) {
      checkInteger('bytes', bytes, ALLOCATION_BYTES_MAX);
      return kernels.allocatePages(bytes);
    },
    async preallocate(fd, bytes) {
      checkInteger('fd', fd, INT32_MAX);
      if (bytes === 0) refuse('bytes', bytes, 'an integer from 1');
      checkInteger('bytes', bytes, Number.MAX_SAFE_INTEGER);
      return kernels.preallocate(fd, bytes);
    },
    async writeZeros(fd, from, to) {
      checkInteger('fd', fd, INT32_MAX);
      checkInteger('to', to, Number.MAX_SAFE_INTEGER);
      checkInteger('from', from, to);
      for (const [argument, value] of Object.entries({ from, to })) {
        if (value % PAGE_BYTES !== 0) refuse(argument, value, `a multiple of ${PAGE_BYTES}`);
      }
      return kernels.writeZeros(fd, from, to);
    },
    async readSpans(fd, spans, into) {
      checkInteger('fd', fd, INT32_MAX);
      checkBytes('into', into);
      if (!types.isFloat64Array(spans) || spans.length % 2 !== 0 || isShared(spans)) {
        refuse('spans', spans, 'a Float64Array of positions and lengths');
      }
      let left = into.byteLength;
      for (let index = 0; index < spans.length; index += 2) {
        const [position = 0, length = 0] = [spans[index], spans[index + 1]];
        checkInteger('a length', length, left);
        checkInteger('a position', position, Number.MAX_SAFE_INTEGER - length);
        left -= length;
      }
      if (left > 0) refuse('into', into, `memory for what is read alone; ${left} bytes are left over`);
      return kernels.readSpans(fd, spans, into);
    },
  };
}

const ALLOCATION_BYTES_MAX = 0x4000_0000;

function checkState(state: unknown, fields: number): void {
  if (!types.isBigUint64Array(state) || state.length < fields || isShared(state)) {
    refuse('state', state, `a BigUint64Array of at least ${fields}`);
  }
}
