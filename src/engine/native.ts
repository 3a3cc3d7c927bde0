import { getSystemErrorMap } from 'node:util';
import type { ContentKernels } from './content-kernels.js';
import type { Kernels } from './kernels.js';
import { PAGE_BYTES } from './pages.js';
import type { SocketKernels } from './socket-kernels.js';
import type { ZstdAddon } from './zstd-addon.js';

/** The addon as it is loaded. On Windows it has neither file operations nor those of sockets, nor the codec. */
export type NativeAddon = Pick<Kernels, 'checksum64' | 'checksumParts' | 'discard' | 'sealRecords' | 'checkRecords'> &
  ContentKernels &
  Partial<Pick<Kernels, 'writeDurable' | 'bypassCache' | 'preallocate' | 'writeZeros' | 'readSpans'>> &
  Partial<SocketKernels> & {
    /** How far behind the start of a page the bytes start in memory. */
    pageOffset(bytes: Uint8Array): number;
    zstd?: ZstdAddon;
  };

/** The addon as an engine; `fallback` does what it lacks. */
export function nativeKernels(addon: NativeAddon, fallback: Kernels): Kernels {
  const { checksum64, checksumParts, discard, sealRecords, checkRecords, pageOffset } = addon;
  const { cutChunks, digestChunks, sketch, digestRanges, checksumRanges } = addon;
  const { xorBytes, firstNonZero, zeroRuns, matchBytes } = addon;
  const { writeDurable, bypassCache, preallocate, writeZeros, readSpans } = addon;
  return {
    checksum64,
    checksumParts,
    discard,
    sealRecords,
    checkRecords,
    cutChunks,
    digestChunks,
    sketch,
    digestRanges,
    checksumRanges,
    xorBytes,
    firstNonZero,
    zeroRuns,
    matchBytes,
    writeDurable:
      writeDurable === undefined
        ? fallback.writeDurable
        : (fd, buffers, position, sync) => writeDurable(fd, buffers, position, sync).catch(throwNamed),
    bypassCache: bypassCache ?? fallback.bypassCache,
    allocatePages(bytes) {
      const memory = Buffer.allocUnsafeSlow(bytes + PAGE_BYTES);
      const offset = pageOffset(memory);
      const start = offset === 0 ? 0 : PAGE_BYTES - offset;
      return memory.subarray(start, start + bytes);
    },
    preallocate:
      preallocate === undefined ? fallback.preallocate : (fd, bytes) => preallocate(fd, bytes).catch(throwNamed),
    writeZeros:
      writeZeros === undefined ? fallback.writeZeros : (fd, from, to) => writeZeros(fd, from, to).catch(throwNamed),
    readSpans:
      readSpans === undefined ? fallback.readSpans : (fd, spans, into) => readSpans(fd, spans, into).catch(throwNamed),
    ...socketKernels({ ...fallback, ...addon }),
  };
}

function socketKernels(addon: SocketKernels): SocketKernels {
  return {
    setCongestionControl: named(addon.setCongestionControl),
    probeCongestionControl: named(addon.probeCongestionControl),
    setPacingRate: named(addon.setPacingRate),
    setNotSentLowat: named(addon.setNotSentLowat),
    setUserTimeout: named(addon.setUserTimeout),
    readTcpInfo: named(addon.readTcpInfo),
  };
}

/** The same call, with the errors that Node would raise. */
function named<Args extends unknown[], Result>(call: (...args: Args) => Result): (...args: Args) => Result {
  return (...args) => {
    try {
      return call(...args);
    } catch (error) {
      return throwNamed(error as NodeJS.ErrnoException);
    }
  };
}

/** The addon's error has number and operation; code and text are Node's. */
function throwNamed(error: NodeJS.ErrnoException): never {
  const { errno, syscall = '' } = error;
  // One about arguments, say.
  if (errno === undefined) throw error;
  const [code, text] = getSystemErrorMap().get(errno) ?? [`errno ${-errno}`, 'unknown error'];
  error.code = code;
  error.message = `${code}: ${text}, ${syscall}`;
  throw error;
}
