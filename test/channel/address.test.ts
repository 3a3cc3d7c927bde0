import { describe, expect, test } from 'vitest';
import { formatAddress, isLoopback, parseAddress, requireLoopback } from '../../src/channel/address.js';
import { IdentityRequiredError, InvalidArgumentError } from '../../src/errors.js';

test.each([
  ['127.0.0.1:7000', '127.0.0.1', 7000],
  ['localhost:0', 'localhost', 0],
  ['replica.example:65535', 'replica.example', 65535],
  ['[::1]:7000', '::1', 7000],
  ['[fe80::1]:1', 'fe80::1', 1],
])('%s is host %s and port %d, and back', (text, host, port) => {
  expect(parseAddress(text)).toEqual({ host, port });
  expect(formatAddress({ host, port })).toBe(text);
});

test.each([
  '',
  '7000',
  ':7000',
  'localhost',
  'localhost:',
  'localhost:65536',
  'localhost:-1',
  'localhost:7000x',
  'local host:7000',
  '::1:7000',
  '[::1]',
  '[::1]7000',
  '[localhost]:7000',
  '[]:7000',
  'a:b:1',
  'localhost:0000000007000',
])('%j is no address', (text) => {
  expect(() => parseAddress(text, '--to')).toThrow(InvalidArgumentError);
  expect(() => parseAddress(text, '--to')).toThrow(/^--to is ".*"; expected HOST:PORT/);
});

describe('loopback', () => {
  test.each([
    '127.0.0.1',
    '127.255.0.9',
    '::1',
    '0:0:0:0:0:0:0:1',
    'localhost',
    'LOCALHOST',
    '::ffff:127.0.0.1',
    '::ffff:7f00:2',
  ])('%s is', (host) => {
    expect(isLoopback(host)).toBe(true);
    expect(() => requireLoopback(host)).not.toThrow();
  });

  test.each([
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '128.0.0.1',
    '126.255.255.255',
    '::2',
    '::ffff:10.0.0.1',
    'localhost.example',
    'localhost.',
    '127.1',
    '0x7f.0.0.1',
    '2130706433',
    '127.0.0.1.example',
    'fe80::1%lo',
    '',
  ])('%j is not', (host) => {
    expect(isLoopback(host)).toBe(false);
    expect(() => requireLoopback(host)).toThrow(IdentityRequiredError);
  });
});
