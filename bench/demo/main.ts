import { Workspace } from '../kit/workspace.js';
import { runDemo } from './demo.js';

/** `npm run demo`: 0 the replica is the same as the source, 1 it is not or something failed, 130 interrupted. */
async function main(): Promise<number> {
  const work = await Workspace.open('demo');
  let interrupted = false;
  const onSignal = (): void => {
    interrupted = true;
    // What the demo waits for ends with this; the directory goes when it has noticed.
    void work.halt();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  try {
    await runDemo(work, {
      out: (line) => process.stdout.write(`${line}\n`),
      say: (line) => {
        if (interrupted) throw new Error('interrupted');
        process.stderr.write(`${line}\n`);
      },
    });
    return 0;
  } catch (error) {
    if (interrupted) return 130;
    process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    await work.close();
  }
}

process.exitCode = await main();
