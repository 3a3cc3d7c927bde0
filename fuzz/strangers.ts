import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { fingerprint, makeCertificate } from '../src/channel/certificate.js';
import { encodeFrameHeader } from '../src/channel/frame.js';
import { encodeHello, FrameType } from '../src/channel/messages.js';
import { openSecurity } from '../src/channel/open-security.js';
import { Reception } from '../src/channel/reception.js';
import type { Security } from '../src/channel/security.js';
import { checksum64 } from '../src/engine/checksum.js';
import { FakeClock } from '../test/channel/fake-clock.js';
import { changed } from './changes.js';
import { Escapes } from './escapes.js';
import { anyHello } from './hostile-words.js';
import { MemorySocket, memoryPair } from './memory-socket.js';
import type { Random } from './random.js';
import type { FuzzTarget } from './target.js';
import { turns } from './virtual-time.js';

const VISITORS_MAX = 10;
const STRANGERS_MAX = 2;
const HANDSHAKE_MS = 1000;
const DAY_MS = 86_400_000;
/** Change cipher spec, alert, handshake, application data: all that TLS has. */
const RECORD_TYPES = [20, 21, 22, 23];
const ALERT = 21;
const PEER = { peer: 'the receiver', host: '127.0.0.1' };

/**
 * Whoever has not proved who it is gets no byte but those of TLS, and above TLS none at all, whatever it says, how slowly, and
 * when it goes. There are never more of them than there may be, all are gone in the time for a handshake, and whoever can prove
 * it gets in beside them.
 */
export const strangers: FuzzTarget = {
  name: 'strangers',
  smokeRuns: 40,
  run: (random) => Escapes.during(() => visit(random)),
};

interface Visitor {
  /** What came over the wire, and above TLS. */
  wire: Buffer[];
  above: Buffer[];
  verdict: Promise<unknown>;
}

async function visit(random: Random): Promise<void> {
  const clock = new FakeClock();
  const { us, them, security } = await nodes();
  const reception = new Reception({ security, strangersMax: STRANGERS_MAX, handshakeTimeoutMs: HANDSHAKE_MS, clock });
  const visitors: Visitor[] = [];
  for (let count = random.between(1, VISITORS_MAX); count > 0; count--) {
    visitors.push(random.chance(0.7) ? await speaker(random, reception) : await guest(random, reception));
    assert.ok(reception.strangers <= STRANGERS_MAX, `${reception.strangers} strangers`);
    if (random.chance(0.2)) await clock.advance(random.below(HANDSHAKE_MS));
    await turns(random.below(4));
  }
  const [left, right] = memoryPair();
  const [admitted, client] = await Promise.all([
    reception.enter(right.socket),
    (await openSecurity({ identity: us, allow: [them.id] })).client(left.socket, { ...PEER, clock }),
  ]);
  assert.deepEqual([admitted?.peerId, client.peerId], [us.id, them.id]);
  await clock.advance(HANDSHAKE_MS);
  for (const { wire, above, verdict } of visitors) {
    assert.equal(await verdict, undefined, 'a stranger was let in');
    assertTlsAlone(Buffer.concat(wire), them.id);
    assert.equal(Buffer.concat(above).byteLength, 0, 'a word to a stranger');
  }
  for (const socket of [left, right]) socket.destroy();
  await turns(3);
  assert.deepEqual([reception.strangers, clock.pendingTimers], [0, 0]);
}

/** Bytes of any kind, most often the beginning of something that means something. */
async function speaker(random: Random, reception: Reception): Promise<Visitor> {
  const wire: Buffer[] = [];
  const socket = new MemorySocket((chunk) => wire.push(chunk));
  const verdict = reception.enter(socket.socket);
  const greeting = await clientHello();
  const words = random.pick([
    () => greeting,
    () => changed(random, greeting),
    () => greeting.subarray(0, random.below(greeting.byteLength)),
    () => plainHello(random),
    () => Buffer.concat([Buffer.of(random.pick(RECORD_TYPES), 3, random.below(5)), random.bytes(random.below(300))]),
    () => random.bytes(random.below(500)),
  ])();
  for (const piece of random.slices(words, random.pick([1, 40, 1000])).slice(0, 200)) {
    socket.hear(piece);
    if (random.chance(0.1)) await turns(1);
  }
  await turns(1);
  random.pick([() => {}, () => socket.hearEnd(), () => socket.destroy(), () => socket.hear(plainHello(random))])();
  return { wire, above: [], verdict };
}

/** One that speaks TLS well, and has nothing to prove who it is with, or what nobody has asked for. */
async function guest(random: Random, reception: Reception): Promise<Visitor> {
  const { stranger } = await nodes();
  const [wire, above]: [Buffer[], Buffer[]] = [[], []];
  const [left, right] = memoryPair();
  const verdict = reception.enter(right.socket);
  const hear = left.hear.bind(left);
  left.hear = (bytes) => {
    wire.push(bytes);
    hear(bytes);
  };
  const own = random.chance(0.5) ? { key: stranger.key, cert: stranger.cert } : {};
  const socket = connectTls({ socket: left.socket, rejectUnauthorized: false, ...own });
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => above.push(chunk));
  const words = plainHello(random);
  if (random.chance(0.7)) socket.once('secureConnect', () => socket.write(words));
  await turns(random.below(12));
  if (random.chance(0.3)) left.destroy();
  return { wire, above, verdict };
}

/** Whole records, but for the last one, and in no place what a person could read. */
function assertTlsAlone(bytes: Buffer, id: string): void {
  assert.doesNotMatch(bytes.toString('latin1'), new RegExp(`LHF1|longhaul|${id}`, 'i'));
  for (let at = 0; at < bytes.byteLength; ) {
    const type = bytes[at] as number;
    assert.ok(RECORD_TYPES.includes(type), `a record of type ${type}`);
    if (at + 5 > bytes.byteLength) return;
    // An alert has the version that the stranger's own record had, whatever that was.
    if (type !== ALERT) assert.equal(bytes[at + 1], 3);
    at += 5 + bytes.readUInt16BE(at + 3);
  }
}

function plainHello(random: Random): Buffer {
  const body = encodeHello(anyHello(random, 0));
  const head = { type: FrameType.hello, flags: 0, generation: 0, session: 0n, frameNumber: 0 };
  return Buffer.concat([
    encodeFrameHeader({ ...head, bodyLength: body.byteLength, bodyChecksum: checksum64(body) }),
    body,
  ]);
}

interface Node {
  id: string;
  key: string;
  cert: string;
}

let known: Promise<{ us: Node; them: Node; stranger: Node; security: Security }> | undefined;
let greeting: Promise<Buffer> | undefined;

/** Made once: a key takes longer than a run. */
function nodes(): NonNullable<typeof known> {
  known ??= (async () => {
    const [us, them, stranger] = [newNode(), newNode(), newNode()];
    return { us, them, stranger, security: await openSecurity({ identity: them, allow: [us.id] }) };
  })();
  return known;
}

function newNode(): Node {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const [validFrom, validTo] = [new Date(Date.now() - DAY_MS), new Date(Date.now() + 30 * DAY_MS)];
  const cert = makeCertificate({ privateKey, validFrom, validTo });
  const key = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return { id: fingerprint(createPublicKey(privateKey)), key, cert };
}

/** The first bytes of a node that is one of ours. */
function clientHello(): Promise<Buffer> {
  greeting ??= (async () => {
    const { us, them } = await nodes();
    const client = await openSecurity({ identity: us, allow: [them.id] });
    return new Promise<Buffer>((resolve) => {
      const socket: MemorySocket = new MemorySocket((chunk) => {
        resolve(Buffer.from(chunk));
        socket.destroy();
      });
      client.client(socket.socket as Socket, PEER).catch(() => {});
    });
  })();
  return greeting;
}
