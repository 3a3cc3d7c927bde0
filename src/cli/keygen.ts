import { createIdentity, InvalidArgumentError } from '../index.js';
import type { OptionTable, Values } from './arguments.js';

export const keygenSummary = `Makes the key and the certificate that a node shows to its peers, and prints the node's id.
The id is what the other end is given as --allow.`;

export const keygenOptions: OptionTable = {
  out: { value: 'DIR', required: true, help: 'where key and certificate go; made when missing' },
  days: { value: 'DAYS', help: 'how long the certificate is valid, 1 to 36500 (default 3650)' },
  renew: { help: 'make a new certificate for the key that is there; the id stays' },
  json: { help: 'the last line of output is one JSON object' },
  help: { help: 'show this' },
};

/** The last line is the id alone, for scripts. */
export async function keygen({ out, days, renew, json }: Values): Promise<void> {
  const dir = String(out);
  const { id, validFrom, validTo } = await createIdentity({
    dir,
    renew: renew === true,
    ...(days === undefined ? {} : { days: wholeNumber('--days', String(days)) }),
  });
  if (json === true) {
    print(JSON.stringify({ id, dir, validFrom: validFrom.toISOString(), validTo: validTo.toISOString() }));
    return;
  }
  print(
    `${renew === true ? 'a new certificate' : 'key and certificate'} in ${dir}, valid until ${validTo.toISOString()}`,
  );
  print(id);
}

function wholeNumber(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError(name, text, 'a whole number of days');
  return Number(text);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
