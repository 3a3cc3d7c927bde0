import { BlockList, isIP, isIPv6 } from 'node:net';
import { IdentityRequiredError, InvalidArgumentError } from '../errors.js';

export interface Address {
  host: string;
  port: number;
}

const PORT_MAX = 65_535;

/** Takes `HOST:PORT` apart; an IPv6 address stands in brackets, as in `[::1]:7000`. */
export function parseAddress(text: string, argument = 'address'): Address {
  const match = /^(?:\[([^[\]]*)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const [, bracketed, plain, digits] = match ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  const valid = host !== undefined && port <= PORT_MAX && (bracketed === undefined || isIPv6(bracketed));
  if (!valid) {
    throw new InvalidArgumentError(
      argument,
      text,
      `HOST:PORT with a port from 0 to ${PORT_MAX}, as in 127.0.0.1:7000 or [::1]:7000`,
    );
  }
  return { host, port };
}

/** The inverse of `parseAddress`. */
export function formatAddress({ host, port }: Address): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

// Addresses that map IPv4 into IPv6 are checked as the IPv4 address they stand for.
const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Names other than `localhost` are not looked up: what they mean may change between the check and the connection. */
export function isLoopback(host: string): boolean {
  if (host.toLowerCase() === 'localhost') return true;
  const family = isIP(host);
  if (family === 0 || host.includes('%')) return false;
  return loopback.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

/** For connections that nothing secures. */
export function requireLoopback(host: string): void {
  if (!isLoopback(host)) throw new IdentityRequiredError(host);
}
