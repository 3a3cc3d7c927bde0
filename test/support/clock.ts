import { vi } from 'vitest';
import { atEnd } from './temp.js';

/**
 * Lets `Date` run ten seconds ahead of the file system's clock until the end of the test, so that a file written just
 * now counts as one that has lain still: what was changed within the last tick of that clock is read again each time.
 */
export function letFilesSettle(): void {
  const systemNow = Date.now;
  const spy = vi.spyOn(Date, 'now').mockImplementation(() => systemNow() + 10_000);
  atEnd(() => spy.mockRestore());
}
