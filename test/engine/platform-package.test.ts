import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { addonFileOf, ownPlatform, PLATFORMS, packageNameOf } from '../../src/engine/platform-package.js';

afterEach(() => vi.unstubAllGlobals());

/** A process elsewhere, of which the report is all that tells the C library. */
function stubProcess(platform: string, arch: string, header: object): void {
  const getReport = (): object => ({ header });
  vi.stubGlobal('process', { platform, arch, report: { getReport, excludeNetwork: false } });
}

test('a platform is a processor and a C library', () => {
  stubProcess('linux', 'x64', { glibcVersionRuntime: '2.36' });
  expect(ownPlatform()).toBe('linux-x64-gnu');
  stubProcess('linux', 'arm64', {});
  expect(ownPlatform()).toBe('linux-arm64-musl');
  stubProcess('darwin', 'arm64', {});
  expect(ownPlatform()).toBe('darwin-arm64');
  stubProcess('win32', 'x64', {});
  expect(PLATFORMS).not.toContain(ownPlatform());
});

test('the report is made without looking up the names of peers, and set back as it was', () => {
  for (const before of [false, true]) {
    const report = { excludeNetwork: before, getReport: () => ({ header: { seen: report.excludeNetwork } }) };
    const seen = vi.spyOn(report, 'getReport');
    vi.stubGlobal('process', { platform: 'linux', arch: 'x64', report });
    ownPlatform();
    expect(seen.mock.results[0]?.value).toEqual({ header: { seen: true } });
    expect(report.excludeNetwork).toBe(before);
  }
});

describe('the names are those that the release makes', () => {
  const { napi } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    napi: { binaryName: string; packageName: string; targets: string[] };
  };

  test('of packages and addons', () => {
    expect(packageNameOf('x')).toBe(`${napi.packageName}-x`);
    expect(addonFileOf('x')).toBe(`${napi.binaryName}.x.node`);
  });
});
