import { expect } from 'vitest';
import {
  InvalidArgumentError,
  type JournalRecord,
  Receiver,
  type ReceiverOptions,
  Sender,
  type SenderOptions,
} from '../../src/index.js';
import { atEnd, newDirectory } from './temp.js';

/** Senders and receivers of plain records, closed when the test is over. */

export async function openReceiver(options: Partial<ReceiverOptions> = {}): Promise<Receiver> {
  const receiver = await Receiver.open({
    dir: options.dir ?? newDirectory(),
    listen: { host: '127.0.0.1', port: 0 },
    ...options,
  });
  atEnd(() => receiver.close());
  return receiver;
}

/** A peer under a name of its own. */
export function peer(port: number, name = 'one'): { name: string; host: string; port: number } {
  return { name, host: '127.0.0.1', port };
}

/** A port on loopback that nobody listens on. */
export const NOBODY = peer(9, 'nobody');

export async function openSender(options: Partial<SenderOptions> & Pick<SenderOptions, 'peers'>): Promise<Sender> {
  const sender = await Sender.open({ dir: options.dir ?? newDirectory(), ...options });
  atEnd(() => sender.close());
  return sender;
}

/** Opening a sender with these options fails, and names the argument. */
export async function expectRefused(options: Partial<SenderOptions>, argument: string): Promise<void> {
  const opening = Sender.open({ dir: newDirectory(), peers: [NOBODY], ...options });
  await expect(opening).rejects.toThrow(InvalidArgumentError);
  await expect(opening).rejects.toMatchObject({ argument });
}

/** An `apply` that keeps what it gets. */
export function collector(): {
  records: JournalRecord[];
  texts: () => string[];
  apply: (record: JournalRecord) => void;
} {
  const records: JournalRecord[] = [];
  return {
    records,
    texts: () => records.map(({ payload }) => payload.toString()),
    apply: (record) => void records.push({ ...record, payload: Buffer.from(record.payload) }),
  };
}

export async function logged(receiver: Receiver, from = 1): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for await (const record of receiver.records(from)) records.push({ ...record, payload: Buffer.from(record.payload) });
  return records;
}

export const text = (words: string): Buffer => Buffer.from(words);

/** A promise and what settles it. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
