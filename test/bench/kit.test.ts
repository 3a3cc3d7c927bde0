import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { fileSystemOf, realDisk } from '../../bench/kit/real-disk.js';
import { loadRival } from '../../bench/kit/rivals.js';

/** A mount for each line: number, parent, device, root, point, options - type, source, more. */
function mounts(...points: [point: string, type: string][]): string {
  return points.map(([point, type], i) => `${i} 1 8:1 / ${point} rw shared:1 - ${type} /dev/x rw`).join('\n');
}

test('the innermost mount tells the file system', () => {
  const table = mounts(['/', 'ext4'], ['/proc', 'proc'], ['/proc/self', 'other']);
  expect(fileSystemOf('/', table)).toBe('ext4');
  expect(fileSystemOf('/proc', table)).toBe('proc');
  expect(fileSystemOf('/proc/sys', table)).toBe('proc');
});

test('a later mount at the same place covers the earlier one', () => {
  expect(fileSystemOf('/', mounts(['/', 'rootfs'], ['/', 'xfs']))).toBe('xfs');
});

test('a system that does not tell is not guessed at', () => {
  expect(fileSystemOf('/', '')).toBe('unknown');
});

test('the file system is said', () => {
  const said: string[] = [];
  expect(realDisk(tmpdir(), (line) => said.push(line))).toBe(tmpdir());
  expect(said[0]).toBe(`in ${tmpdir()}, file system ${fileSystemOf(tmpdir())}`);
});

test('a directory that is not there is refused by name', () => {
  expect(() => realDisk('/no/such/directory', () => {})).toThrow('/no/such/directory');
});

test('a package that is not installed is none', () => {
  expect(loadRival('no-such-package')).toBeUndefined();
});
