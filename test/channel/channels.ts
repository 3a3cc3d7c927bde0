import { Channel, type ChannelOptions } from '../../src/channel/channel.js';
import type { Connection, ConnectionOptions } from '../../src/channel/connection.js';
import type { Message } from '../../src/channel/incoming.js';
import type { Member, MemberRole } from '../../src/channel/member.js';
import { connectionPair } from './sockets.js';

export const SESSION = 0xfedc_ba98_7654_3210n;
export const WINDOW_BYTES = 16 * 1024 * 1024;

export interface Side {
  channel: Channel;
  messages: Message[];
}

export interface SideOptions extends Partial<Omit<ChannelOptions, 'lead'>> {
  /** Of its connections. */
  connection?: Partial<ConnectionOptions>;
  /** What the peer has granted to begin with. */
  peerWindowBytes?: number;
}

/** A channel over this connection, with the greeting behind it, that collects what it receives. */
export function sideOf(lead: Connection, { connection: _, peerWindowBytes, ...options }: SideOptions = {}): Side {
  const messages: Message[] = [];
  const channel = new Channel({ lead, onMessage: (message) => void messages.push(message), ...options });
  channel.established();
  channel.begin(SESSION, peerWindowBytes ?? WINDOW_BYTES);
  return { channel, messages };
}

/** Two ends of a session, over one connection to begin with. */
export async function channelPair(left: SideOptions = {}, right: SideOptions = {}): Promise<[Side, Side]> {
  const [a, b] = await connectionPair(left.connection, right.connection ?? {});
  return [sideOf(a.connection, left), sideOf(b.connection, right)];
}

/** A further connection between two ends. */
export async function join(
  left: Side,
  right: Side,
  role: MemberRole = { path: 0, spare: false },
  options: Partial<ConnectionOptions> = {},
): Promise<[Member, Member]> {
  const [a, b] = await connectionPair(options, {});
  const members = [left.channel.add(a.connection, role), right.channel.add(b.connection, role)];
  if (members[0] === undefined || members[1] === undefined) throw new Error('the session is over');
  return members as [Member, Member];
}
