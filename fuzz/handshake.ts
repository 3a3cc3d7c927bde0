import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JournalRecord, Receiver, Sender } from '../src/index.js';
import { Escapes } from './escapes.js';
import { HostileReceiver } from './hostile-receiver.js';
import { HostileSender } from './hostile-sender.js';
import { connectionReset, MemorySocket, memoryPair } from './memory-socket.js';
import type { Random } from './random.js';
import type { FuzzTarget } from './target.js';
import { turns, VirtualTime } from './virtual-time.js';

const VISITS_MAX = 3;
const STEPS_MAX = 40;
const HONEST = { name: 'honest', host: '127.0.0.1', port: 1 };
const HOSTILE = { name: 'hostile', host: '127.0.0.1', port: 2 };
const MIB = 1024 * 1024;

/**
 * A sender and a receiver that replicate, and beside them somebody who says whatever it likes: to the receiver as if it were a
 * sender, or to the sender as if it were another receiver. Nothing escapes and no timer is left; after each visit a record still
 * gets across; the receiver holds nothing that the honest sender has not appended, and the sender counts nothing as
 * acknowledged that was not.
 */
export const handshake: FuzzTarget = {
  name: 'handshake',
  smokeRuns: 30,
  run: (random) => Escapes.during(() => visited(random)),
};

/** What a run has come to: which messages and refusals of ours. */
async function visited(random: Random): Promise<Set<string>> {
  const time = new VirtualTime();
  time.begin();
  try {
    const scene = new Scene(random, time);
    try {
      await scene.open();
      for (let visits = random.between(1, VISITS_MAX); visits > 0; visits--) await scene.visit();
      await scene.checkLog();
    } finally {
      await scene.close();
    }
    await turns(2);
    assert.equal(time.pendingTimers, 0, 'timers are left');
    return scene.reached;
  } finally {
    time.end();
  }
}

class Scene {
  readonly reached = new Set<string>();
  #hostile: HostileReceiver | undefined;
  /** The highest number that hostile receivers have said they hold. */
  #saidLast = 0;
  #receiver!: Receiver;
  #sender!: Sender;
  readonly #applied: JournalRecord[] = [];
  readonly #links = new Set<MemorySocket>();
  readonly #dir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'longhaul-fuzz-'));
  readonly #onEvent = (event: unknown): void => this.#note(event as { problem?: { code?: string } });

  constructor(
    private readonly random: Random,
    private readonly time: VirtualTime,
  ) {}

  async open(): Promise<void> {
    const { random } = this;
    for (const name of ['session', 'peer']) subscribe(`longhaul:${name}`, this.#onEvent);
    const common = {
      segmentBytes: 64 * 1024,
      windowBytesMax: MIB,
      reductionBytesMax: 8 * MIB,
      congestionControl: 'system',
    } as const;
    this.#receiver = await Receiver.open({
      ...common,
      dir: join(this.#dir, 'receiver'),
      historyBytes: random.pick([0, MIB]),
      listen: { host: '127.0.0.1', port: 0 },
      apply: (record) => void this.#applied.push({ ...record, payload: Buffer.from(record.payload) }),
    });
    this.#sender = await Sender.openOver(({ port }) => this.#connect(port), {
      ...common,
      dir: join(this.#dir, 'sender'),
      peers: [HONEST, HOSTILE],
      connections: random.between(1, 2),
      compress: random.pick(['auto', 'none', 'lz4']),
      prefer: random.pick(['bytes', 'latency']),
      // Whatever somebody has made of the receiver's log, this end puts it right.
      adopt: true,
      resync: () => [{ payload: random.bytes(100) }, { payload: random.bytes(2000), key: 'state' }],
    });
    for (let count = random.between(1, 10); count > 0; count--) await this.#append();
    await this.#checkHonest();
  }

  /** Somebody comes, says some things, and goes; then a record still gets across. */
  async visit(): Promise<void> {
    const { random, time } = this;
    const honestNode = this.#peer('honest').id ?? '';
    const senderNode = this.#receiver.current?.node ?? '';
    const isSender = random.chance(0.5);
    const guest = isSender
      ? new HostileSender(random, this.#receiver, this.#sender, senderNode, this.reached)
      : new HostileReceiver(random, this.#sender, honestNode, this.reached);
    if (guest instanceof HostileReceiver) {
      this.#hostile = guest;
      await time.until('a dial', () => guest.lines.length > 0);
    }
    for (let steps = random.between(1, STEPS_MAX); steps > 0; steps--) {
      await guest.step();
      await turns(2);
      if (random.chance(0.1)) await this.#append();
      if (random.chance(0.1)) await time.pass(random.pick([5, 100, 1000, 6000, 20_000]));
      if (guest instanceof HostileReceiver) this.#saidLast = Math.max(this.#saidLast, guest.saidLast);
      this.#check(guest);
    }
    this.#hostile = undefined;
    guest.leave();
    await this.#checkHonest();
  }

  /** Every record that was logged or applied is the honest sender's. */
  async checkLog(): Promise<void> {
    for (const record of this.#applied) await this.#checkRecord(record);
    let count = 0;
    for await (const record of this.#receiver.records(this.#receiver.log.journal.first)) {
      await this.#checkRecord(record);
      count++;
    }
    assert.ok(count > 0);
  }

  async close(): Promise<void> {
    try {
      for (const node of [this.#sender, this.#receiver]) {
        if (node !== undefined) await this.time.settle('the close of a node', node.close());
      }
      for (const socket of this.#links) socket.destroy();
      await turns(2);
    } finally {
      for (const name of ['session', 'peer']) unsubscribe(`longhaul:${name}`, this.#onEvent);
      rmSync(this.#dir, { recursive: true, force: true });
    }
  }

  #connect(port: number): Socket {
    const [left, right] = port === HONEST.port ? memoryPair() : [this.#hostile?.answer(), undefined];
    const socket = left ?? new MemorySocket(() => {});
    this.#links.add(socket);
    socket.once('close', () => this.#links.delete(socket));
    process.nextTick(() => {
      if (left === undefined) socket.destroy(Object.assign(connectionReset(), { code: 'ECONNREFUSED' }));
      else socket.emit('connect');
    });
    if (right !== undefined) this.#receiver.accept({ socket: right.socket, wire: right.socket, peerId: undefined });
    return socket.socket;
  }

  #append(): Promise<number> {
    const { random } = this;
    const payload = random.chance(0.3) ? Buffer.alloc(random.below(20_000), 'again ') : random.bytes(random.below(600));
    return this.#sender.append(payload, random.chance(0.5) ? { key: `key ${random.below(3)}`, offset: 0 } : {});
  }

  #check({ lines }: HostileSender | HostileReceiver): void {
    for (const line of lines) assert.ok(line.waitsWithinBounds, `${line.socket.writableLength} bytes wait`);
    const { reductionBytesTaken, reductionBytesMax, peers, appended } = this.#sender.status();
    assert.ok(reductionBytesTaken <= reductionBytesMax, `${reductionBytesTaken} bytes of reduction`);
    const logged = peers[1]?.logged ?? 0;
    assert.ok(logged <= this.#saidLast, `${logged} counted of ${this.#saidLast} that were acknowledged`);
    assert.ok(logged <= appended, `${logged} counted of ${appended} that there are`);
  }

  async #checkHonest(): Promise<void> {
    const sequence = await this.#append();
    const { time } = this;
    await time.until('a record of the honest sender', () => {
      const { logged, applied } = this.#peer('honest');
      return logged >= sequence && applied >= sequence;
    });
    assert.ok(this.#receiver.status().logged >= sequence, 'acknowledged and not logged');
  }

  async #checkRecord(record: JournalRecord): Promise<void> {
    const { journal } = this.#sender;
    for await (const own of journal.read(record.sequence)) {
      assert.deepEqual({ ...record }, { ...own, payload: Buffer.from(own.payload) });
      return;
    }
    assert.fail(`record ${record.sequence} is none of the sender's`);
  }

  #peer(name: string) {
    const peer = this.#sender.status().peers.find((candidate) => candidate.name === name);
    assert.ok(peer !== undefined);
    return peer;
  }

  #note({ problem }: { problem?: { code?: string } }): void {
    if (problem?.code !== undefined) this.reached.add(`ends with ${problem.code}`);
  }
}
