import { setImmediate as turn } from 'node:timers/promises';
import { parentPort, Worker } from 'node:worker_threads';

/** What the programs have in common that leave while the addon is at work. */

/** What the exit code of a process that was told to leave is. */
const EXIT_CODE = 7;
const WORKERS = 12;

export type Scenarios = Record<string, () => Promise<void>>;

/** Forces the collector to run; with --expose-gc. */
export const collect = (): void => (globalThis as unknown as { gc(): void }).gc();

/** Ends the process, as one that was told to. */
export const leave = (): never => process.exit(EXIT_CODE);

export interface Work {
  /** The URL of the program itself, which threads run too, and what a thread is told for a scenario. */
  program: string;
  workerData: (scenario: string) => unknown;
  startAll: () => Promise<void>[];
  /** Looks at what was done, and says so. */
  done: () => void;
}

/** Ways to leave that do not depend on what the work is. */
export function departures({ program, workerData, startAll, done }: Work): Scenarios {
  /** Starts a thread with this program and waits until it says that it is at work. */
  const startWorker = async (inside: string): Promise<{ worker: Worker; left: Promise<number> }> => {
    const worker = new Worker(new URL(program), { workerData: workerData(inside) });
    const left = new Promise<number>((resolve) => worker.once('exit', resolve));
    await new Promise((resolve) => worker.once('message', resolve));
    return { worker, left };
  };
  return {
    async 'at once'() {
      void startAll();
      leave();
    },
    async 'a turn later'() {
      void startAll();
      await turn();
      leave();
    },
    async 'when the first is done'() {
      await Promise.race(startAll());
      leave();
    },
    async 'by an exception'() {
      void startAll();
      await turn();
      queueMicrotask(() => {
        throw new Error('nobody catches this');
      });
    },
    async 'terminated threads'() {
      for (let round = 0; round < WORKERS; round++) {
        const { worker, left } = await startWorker('endless');
        for (let turns = 0; turns < round; turns++) await turn();
        await worker.terminate();
        await left;
      }
      await Promise.all(startAll());
      done();
    },
    async 'threads that exit'() {
      const workers = await Promise.all(Array.from({ length: 3 }, () => startWorker('exiting')));
      const codes = await Promise.all(workers.map(({ left }) => left));
      console.log(codes.every((code) => code === EXIT_CODE) ? 'all left' : codes);
    },
    async 'with threads'() {
      await Promise.all([startWorker('endless'), startWorker('endless')]);
      leave();
    },
    async endless() {
      parentPort?.postMessage('at work');
      for (;;) await Promise.all(startAll());
    },
    async exiting() {
      void startAll();
      parentPort?.postMessage('at work');
      await turn();
      leave();
    },
  };
}
