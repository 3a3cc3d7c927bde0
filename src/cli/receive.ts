import { parseAddress, parseSize, Receiver, Replica } from '../index.js';
import type { OptionTable, Values } from './arguments.js';
import type { Interrupt } from './interrupt.js';
import { codeIn, Notices } from './notices.js';
import { Progress, type ProgressState } from './progress.js';
import { securityOf, securityOptionTable } from './security.js';
import { printSummary } from './summary.js';

export const receiveSummary = `Receives a directory and keeps it in a directory of its own.
With --once it ends after a sender has brought it up to date and both ends have been compared.`;

export const receiveOptions: OptionTable = {
  state: { value: 'DIR', required: true, help: 'where the receive log and the catalog are kept; made when missing' },
  into: {
    value: 'DIR',
    required: true,
    help: 'the replica; made when missing, and otherwise empty or from an earlier run',
  },
  listen: { value: 'HOST:PORT', required: true, help: 'where to wait for the sender' },
  ...securityOptionTable,
  history: { value: 'SIZE', help: 'applied records kept in the log (default 1gib)' },
  once: { help: 'end after one complete, verified session' },
  adopt: {
    help: 'take a directory that is not empty as the start of the replica, or a replica of another volume over',
  },
  json: { help: 'the last line of output is one JSON object' },
  help: { help: 'show this' },
};

export async function receive(values: Values, interrupt: Interrupt): Promise<void> {
  const run = new ReceiveRun(values);
  const opening = run.open();
  try {
    await interrupt.race(opening);
    await interrupt.race(run.serve());
  } finally {
    await opening.catch(() => {});
    await run.close();
  }
  run.summarise();
}

class ReceiveRun {
  readonly #values: Values;
  readonly #begun = performance.now();
  readonly #progress: Progress;
  readonly #notices: Notices;
  #receiver: Receiver | undefined;
  #replica: Replica | undefined;
  #verified = false;
  #fail: (error: Error) => void = () => {};

  constructor(values: Values) {
    this.#values = values;
    this.#progress = new Progress(() => this.#state(), values.json === true);
    this.#notices = new Notices(this.#progress);
    this.#notices.watch();
    this.#notices.on('session', ({ peer, state, problem }) => {
      const name = peer === '' ? 'a connection' : `sender ${peer.slice(0, 8)}`;
      this.#progress.line(
        `${name}: session ${state}${problem === undefined ? '' : ` (${problem.message}${codeIn(problem)})`}`,
      );
    });
    // Left alone a full disk is tried again until there is room; a single run rather says so and ends.
    this.#notices.on('apply', ({ problem }) => {
      if (values.once === true) this.#fail(problem);
    });
  }

  async open(): Promise<void> {
    const { state, into, listen, history, adopt } = this.#values;
    this.#receiver = await Receiver.open({
      dir: String(state),
      listen: parseAddress(String(listen)),
      adopt: adopt === true,
      ...securityOf(this.#values),
      ...(history === undefined ? {} : { historyBytes: parseSize('--history', String(history)) }),
    });
    this.#replica = await Replica.open({ root: String(into), receiver: this.#receiver, adopt: adopt === true });
    this.#progress.line(`listening on ${String(listen).replace(/:\d+$/, '')}:${this.#receiver.port}`);
  }

  async serve(): Promise<void> {
    const failed = new Promise<never>((_resolve, reject) => {
      this.#fail = reject;
    });
    do {
      await Promise.race([this.#receiver?.finished(), failed]);
      this.#verified = true;
    } while (this.#values.once !== true);
  }

  async close(): Promise<void> {
    this.#progress.close();
    this.#notices.close();
    await this.#receiver?.close();
    await this.#replica?.close();
  }

  summarise(): void {
    const status = this.#receiver?.status();
    if (status === undefined) return;
    const { records, payloadBytesReceived, wireBytesSent, wireBytesReceived, stages, engine } = status;
    printSummary(
      {
        records,
        sourceBytes: payloadBytesReceived,
        wireBytesSent,
        wireBytesReceived,
        stages,
        engine,
        seconds: (performance.now() - this.#begun) / 1000,
        verified: this.#verified,
      },
      this.#values.json === true,
      [],
    );
  }

  #state(): ProgressState {
    const status = this.#receiver?.status();
    return {
      phase: status?.connected ? 'receiving' : 'waiting for the sender',
      wireBytes: status?.wireBytesReceived ?? 0,
      sourceBytes: status?.payloadBytesReceived ?? 0,
      queueBytes: status?.queueBytes ?? 0,
      ...(status === undefined ? {} : { stages: status.stages }),
    };
  }
}
