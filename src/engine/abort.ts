/**
 * Many calls share one signal. Each signal gets one listener here, whatever the number of calls, because Node warns of
 * a leak beyond ten.
 */

const calls = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls back once when the signal fires; returns the function that ends this. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let waiting = calls.get(signal);
  if (waiting === undefined) {
    const all = new Set<() => void>();
    waiting = all;
    calls.set(signal, all);
    signal.addEventListener('abort', () => fire(all), { once: true });
  }
  // Wrapped, so that one function given twice counts twice.
  const own = () => callback();
  const mine = waiting.add(own);
  return () => mine.delete(own);
}

function fire(all: Set<() => void>): void {
  for (const callback of all) callback();
  all.clear();
}
