import type { SecurityOptions } from '../index.js';
import type { OptionTable, Values } from './arguments.js';

/** What `send` and `receive` say about who they are and whom they talk to. */
export const securityOptionTable: OptionTable = {
  identity: { value: 'DIR', help: 'who this node is, made by longhaul keygen; needed but on loopback' },
  allow: { value: 'ID', repeats: true, help: 'the id of the node at the other end; may be given several times' },
};

export function securityOf({ identity, allow }: Values): Pick<SecurityOptions, 'identity' | 'allow'> {
  return {
    ...(identity === undefined ? {} : { identity: String(identity) }),
    ...(allow === undefined ? {} : { allow: allow as readonly string[] }),
  };
}
