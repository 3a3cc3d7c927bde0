import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  Receiver,
  type ReceiverOptions,
  Replica,
  type ReplicaOptions,
  Sender,
  type SenderOptions,
  type SyncResult,
  type VerifyResult,
  Volume,
  type VolumeOptions,
} from '../../src/index.js';
import { compareTrees } from './compare.js';
import { atEnd, newDirectory } from './temp.js';

/** A volume and its replica in this process, over loopback, in directories that go with the test. */

export interface PairOptions {
  sender?: Partial<SenderOptions>;
  receiver?: Partial<ReceiverOptions>;
  volume?: Partial<VolumeOptions>;
  replica?: Partial<ReplicaOptions>;
  /** Where the directories are made (default the system's directory for temporary files). */
  parent?: string;
}

export class Pair {
  readonly dir: string;
  source: string;
  into: string;
  senderState: string;
  receiverState: string;
  readonly options: PairOptions;
  #receiver: Receiver | undefined;
  #replica: Replica | undefined;
  #sender: Sender | undefined;
  #volume: Volume | undefined;
  #port = 0;

  private constructor(options: PairOptions) {
    this.options = options;
    this.dir = newDirectory(options.parent);
    this.source = join(this.dir, 'source');
    this.into = join(this.dir, 'into');
    this.senderState = join(this.dir, 'sender-state');
    this.receiverState = join(this.dir, 'receiver-state');
    mkdirSync(this.source);
    atEnd(() => this.close());
  }

  /** The directories alone. */
  static at(options: PairOptions = {}): Pair {
    return new Pair(options);
  }

  /** Both ends, opened. */
  static async open(options: PairOptions = {}): Promise<Pair> {
    const pair = new Pair(options);
    await pair.openReceiver();
    await pair.openSender();
    return pair;
  }

  /** Opens the passive end, on the port that it had before. */
  async openReceiver(replica: Partial<ReplicaOptions> = {}, receiver: Partial<ReceiverOptions> = {}): Promise<void> {
    this.#receiver = await Receiver.open({
      dir: this.receiverState,
      listen: { host: '127.0.0.1', port: this.#port },
      ...this.options.receiver,
      ...receiver,
    });
    this.#port = this.#receiver.port;
    const options = { root: this.into, receiver: this.#receiver, ...this.options.replica, ...replica };
    this.#replica = await Replica.open(options);
  }

  async openSender(volume: Partial<VolumeOptions> = {}, sender: Partial<SenderOptions> = {}): Promise<void> {
    this.#sender = await Sender.open({
      dir: this.senderState,
      peers: [{ name: 'replica', host: '127.0.0.1', port: this.#port }],
      ...this.options.sender,
      ...sender,
    });
    this.#volume = await Volume.open({ root: this.source, sender: this.#sender, ...this.options.volume, ...volume });
  }

  async closeReceiver(): Promise<void> {
    const [receiver, replica] = [this.#receiver, this.#replica];
    this.#receiver = undefined;
    this.#replica = undefined;
    await receiver?.close();
    await replica?.close();
  }

  async closeSender(): Promise<void> {
    const [sender, volume] = [this.#sender, this.#volume];
    this.#sender = undefined;
    this.#volume = undefined;
    await volume?.close();
    await sender?.close();
  }

  async close(): Promise<void> {
    await this.closeSender();
    await this.closeReceiver();
  }

  get sender(): Sender {
    return present(this.#sender, 'sender');
  }

  get volume(): Volume {
    return present(this.#volume, 'volume');
  }

  get receiver(): Receiver {
    return present(this.#receiver, 'receiver');
  }

  get replica(): Replica {
    return present(this.#replica, 'replica');
  }

  get port(): number {
    return this.#port;
  }

  /** Brings the replica to the source's present state and has both ends compared, as `send --once` does. */
  async sync(): Promise<SyncResult & VerifyResult> {
    await this.sender.connected();
    const synced = await this.volume.sync();
    const verified = await this.volume.verify();
    return { ...synced, ...verified };
  }

  /** What differs between source and replica, looked at without the library. */
  differences(): string[] {
    return compareTrees(this.source, this.into);
  }
}

function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`the ${what} of this pair is not open`);
  return value;
}
