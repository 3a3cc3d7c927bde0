import {
  type Compression,
  LonghaulError,
  type Prefer,
  parseAddress,
  parseDuration,
  parseScheduleRule,
  parseSize,
  type Schedule,
  Sender,
  type SyncResult,
  Volume,
} from '../index.js';
import { type OptionTable, UsageError, type Values } from './arguments.js';
import type { Interrupt } from './interrupt.js';
import { codeIn, Notices } from './notices.js';
import { Progress, type ProgressState } from './progress.js';
import { securityOf, securityOptionTable } from './security.js';
import { printSummary } from './summary.js';

export const sendSummary = `Copies a directory to a receiver and keeps the copy in step.
With --once it brings the copy to the present state, waits until both ends have been compared, and ends.
Without it, it looks for changes every --interval until it is interrupted.`;

export const sendOptions: OptionTable = {
  state: { value: 'DIR', required: true, help: 'where the queue and the catalog are kept; made when missing' },
  from: { value: 'DIR', required: true, help: 'the directory to copy' },
  to: { value: 'HOST:PORT', required: true, help: 'the receiver' },
  ...securityOptionTable,
  rate: { value: 'RATE', help: 'ceiling of all bytes on the wire, such as 20mbit or 2.5MB (default none)' },
  schedule: {
    value: 'RULE',
    repeats: true,
    help: 'another rate at a time of the week, such as "mon-fri 08:00-18:00 5mbit"; may be given again',
  },
  'time-zone': { value: 'ZONE', help: "of --schedule, such as Europe/Berlin (default this machine's)" },
  'link-overhead': { value: 'BYTES', help: 'what the line adds to each segment, counted as well (default 0)' },
  compress: { value: 'HOW', help: 'auto (default), none, lz4, zstd or zstd:LEVEL' },
  prefer: { value: 'WHAT', help: 'bytes or latency (default bytes with --once, else latency)' },
  history: { value: 'SIZE', help: 'delivered records kept for a peer that comes back older (default 1gib)' },
  once: { help: 'end when the copy is complete and verified' },
  interval: { value: 'TIME', help: 'how often to look for changes without --once (default 10s)' },
  'connect-timeout': { value: 'TIME', help: 'how long to wait for the receiver (default 10s)' },
  adopt: { help: 'take over a replica of another volume, or another directory as the source' },
  'allow-mass-delete': { help: "allow deleting more than half of the replica's files" },
  json: { help: 'the last line of output is one JSON object' },
  help: { help: 'show this' },
};

const CONNECT_TIMEOUT_MS = 10_000;
const INTERVAL_MS = 10_000;

export async function send(values: Values, interrupt: Interrupt): Promise<void> {
  const run = new SendRun(values, interrupt);
  const opening = run.open();
  try {
    await interrupt.race(opening);
    await interrupt.race(values.once === true ? run.once() : run.forever());
  } finally {
    // An interruption does not undo what is being opened: it is closed when it is there.
    await opening.catch(() => {});
    await run.close();
  }
  run.summarise();
}

class SendRun {
  readonly #values: Values;
  readonly #interrupt: Interrupt;
  readonly #begun = performance.now();
  readonly #progress: Progress;
  readonly #notices: Notices;
  #sender: Sender | undefined;
  #volume: Volume | undefined;
  #phase = 'connecting';
  #plan = { bytesTotal: 0 };
  #synced: SyncResult | undefined;
  #repaired = 0;
  #verified = false;

  constructor(values: Values, interrupt: Interrupt) {
    this.#values = values;
    this.#interrupt = interrupt;
    this.#progress = new Progress(() => this.#state(), values.json === true);
    this.#notices = new Notices(this.#progress);
    this.#notices.watch();
    this.#notices.on('progress', (event) => {
      this.#plan = event;
    });
    this.#notices.on('peer', ({ state, problem }) => {
      if (problem !== undefined && state !== 'closed') this.#notices.repeated(`${problem.message}${codeIn(problem)}`);
    });
  }

  async open(): Promise<void> {
    const { state, from, to, rate, compress, history, adopt, once } = this.#values;
    const prefer = this.#values.prefer ?? (once === true ? 'bytes' : 'latency');
    const { host, port } = parseAddress(String(to));
    this.#sender = await Sender.open({
      dir: String(state),
      peers: [{ name: 'replica', host, port }],
      ...(compress === undefined ? {} : { compress: String(compress) as Compression }),
      prefer: String(prefer) as Prefer,
      adopt: adopt === true,
      ...securityOf(this.#values),
      giveUpAfterMs: this.#time('connect-timeout', CONNECT_TIMEOUT_MS),
      ...(rate === undefined ? {} : { rate: String(rate) }),
      ...scheduleOf(this.#values),
      ...linkOverheadOf(this.#values),
      ...(history === undefined ? {} : { historyBytes: parseSize('--history', String(history)) }),
    });
    this.#volume = await Volume.open({
      root: String(from),
      sender: this.#sender,
      adopt: adopt === true,
      allowMassDelete: this.#values['allow-mass-delete'] === true,
    });
    await this.#sender.connected({ signal: this.#interrupt.signal });
  }

  async once(): Promise<void> {
    await this.#bringUpToDate();
    await this.#sender?.finish({ signal: this.#interrupt.signal });
  }

  async forever(): Promise<void> {
    const intervalMs = this.#time('interval', INTERVAL_MS);
    for (;;) {
      await this.#lookAgain();
      await pause(intervalMs, this.#interrupt.signal);
    }
  }

  /** An outage, or a source that is not there for a while, is told and sat out. */
  async #lookAgain(): Promise<void> {
    try {
      if (this.#verified) {
        this.#phase = 'comparing';
        await this.#sync();
        await this.#sender?.drain('applied', { signal: this.#interrupt.signal });
      } else await this.#bringUpToDate();
      this.#phase = 'in step';
    } catch (error) {
      if (this.#interrupt.signal.aborted || !(error instanceof LonghaulError) || !isPassing(error)) throw error;
      this.#progress.line(`${error.message} [${error.code}]`);
    }
  }

  async close(): Promise<void> {
    this.#progress.close();
    this.#notices.close();
    await this.#volume?.close();
    await this.#sender?.close();
  }

  summarise(): void {
    const status = this.#sender?.status();
    if (status === undefined) return;
    const { sent = 0, moved = 0, removed = 0, touched = 0, filesInSource = 0 } = this.#synced ?? {};
    const { records, payloadBytesSent, wireBytesSent, wireBytesReceived, stages, engine, peers } = status;
    printSummary(
      {
        records,
        sourceBytes: payloadBytesSent,
        wireBytesSent,
        wireBytesReceived,
        stages,
        engine,
        seconds: (performance.now() - this.#begun) / 1000,
        verified: this.#verified,
        peers: peers.map(({ name, codec, level, reductionBytes, ...peer }) => ({
          name,
          codec,
          level,
          reductionBytes,
          stages: peer.stages,
        })),
        files: {
          inSource: filesInSource,
          sent,
          moved,
          removed,
          touched,
          repaired: this.#repaired,
          skipped: this.#notices.skipped,
        },
      },
      this.#values.json === true,
      [
        `${filesInSource} files in the source: ${sent} sent, ${moved} moved, ${removed} removed, ${touched} with new attributes only`,
      ],
    );
  }

  async #bringUpToDate(): Promise<void> {
    this.#phase = 'comparing';
    await this.#sync();
    this.#phase = 'sending';
    await this.#sender?.drain('applied', { signal: this.#interrupt.signal });
    this.#phase = 'verifying';
    const { repaired } = (await this.#volume?.verify({ signal: this.#interrupt.signal })) ?? { repaired: 0 };
    this.#repaired += repaired;
    this.#verified = true;
  }

  async #sync(): Promise<void> {
    const result = await this.#volume?.sync({ signal: this.#interrupt.signal });
    if (result === undefined) return;
    const before = this.#synced;
    this.#synced = result;
    if (before === undefined) return;
    for (const key of ['sent', 'moved', 'removed', 'touched', 'sourceBytes'] as const) result[key] += before[key];
  }

  #state(): ProgressState {
    const status = this.#sender?.status();
    const { bytesTotal } = this.#plan;
    const { payloadBytesSent = 0, wireBytesSent = 0, queueBytes = 0 } = status ?? {};
    // What the receiver has not logged yet is still to come, though it may lie in a buffer already.
    const arrived = Math.max(0, payloadBytesSent - queueBytes);
    const total = Math.max(bytesTotal, payloadBytesSent);
    return {
      phase: this.#phase,
      wireBytes: wireBytesSent,
      sourceBytes: payloadBytesSent,
      queueBytes,
      ...(status === undefined ? {} : { stages: status.stages }),
      ...(bytesTotal > 0 ? { fraction: arrived / total, bytesLeft: total - arrived } : {}),
    };
  }

  #time(name: string, fallbackMs: number): number {
    const value = this.#values[name];
    return value === undefined ? fallbackMs : parseDuration(`--${name}`, String(value));
  }
}

function scheduleOf({ schedule, 'time-zone': zone }: Values): { schedule?: Schedule } {
  if (!Array.isArray(schedule)) {
    if (zone !== undefined) throw new UsageError('--time-zone needs --schedule');
    return {};
  }
  const timeZone = zone === undefined ? new Intl.DateTimeFormat().resolvedOptions().timeZone : String(zone);
  return { schedule: { timeZone, rules: schedule.map((rule: string) => parseScheduleRule('--schedule', rule)) } };
}

function linkOverheadOf({ 'link-overhead': bytes }: Values): { linkOverhead?: number } {
  return bytes === undefined ? {} : { linkOverhead: parseSize('--link-overhead', String(bytes)) };
}

/** What a directory that is copied again and again meets and gets over; a full disk or a broken queue needs a restart. */
const PASSING = ['SOURCE_UNREADABLE', 'MASS_DELETE', 'ROOT_EMPTY', 'ROOT_CHANGED'];

function isPassing(error: LonghaulError): boolean {
  return PASSING.includes(error.code) || (error.recoverable && error.code !== 'DISK_FULL');
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}
