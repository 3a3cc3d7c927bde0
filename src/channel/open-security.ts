import type { ConnectionOptions, TlsOptions } from 'node:tls';
import { InvalidArgumentError } from '../errors.js';
import { directoryOption } from '../options.js';
import { IdentitySecurity } from './identity-security.js';
import { OwnTlsSecurity } from './own-tls-security.js';
import { plainSecurity, type Security, type SecurityOptions } from './security.js';

/** Reads and checks what the options name. Errors: INVALID_ARGUMENT, IDENTITY_INVALID, IDENTITY_EXPIRED. */
export async function openSecurity({ identity, allow, tls }: SecurityOptions): Promise<Security> {
  const ids = allowedIds('allow', allow);
  if (identity === undefined) {
    if (allow !== undefined) throw new InvalidArgumentError('allow', allow, 'an identity with it');
    return tls === undefined ? plainSecurity : new OwnTlsSecurity(checkedTls(tls));
  }
  if (tls !== undefined) throw new InvalidArgumentError('tls', tls, 'either tls or identity, not both');
  if (typeof identity === 'string') directoryOption('identity', identity);
  else if (identity?.key === undefined || identity.cert === undefined) {
    throw new InvalidArgumentError('identity', identity, 'a directory, or { key, cert } as PEM');
  }
  return IdentitySecurity.open(identity, ids);
}

/** The ids of an option, in lower case. An empty list allows nobody, which nobody can mean. */
export function allowedIds(name: string, allow: unknown): string[] {
  if (allow === undefined) return [];
  const expected = 'one or more ids of 64 hexadecimal digits, as `longhaul keygen` prints them';
  if (!Array.isArray(allow) || allow.length === 0) throw new InvalidArgumentError(name, allow, expected);
  return allow.map((id: unknown) => {
    if (typeof id !== 'string' || !/^[0-9a-f]{64}$/i.test(id)) throw new InvalidArgumentError(name, id, expected);
    return id.toLowerCase();
  });
}

function checkedTls(tls: unknown): ConnectionOptions & TlsOptions {
  if (typeof tls !== 'object' || tls === null) throw new InvalidArgumentError('tls', tls, 'options of node:tls');
  return tls;
}
