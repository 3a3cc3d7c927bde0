/**
 * Items in order, each with work that was begun when the item was still up to `width` places away: many small waits for
 * the disk then pass side by side.
 */
export async function* ahead<T, U>(
  items: AsyncIterable<T>,
  width: number,
  work: (item: T) => Promise<U>,
): AsyncGenerator<{ item: T; done: U }> {
  const begun: { item: T; done: Promise<U> }[] = [];
  try {
    for await (const item of items) {
      const done = work(item);
      // A failure is told when its turn comes; until then it must not count as unhandled.
      done.catch(() => {});
      begun.push({ item, done });
      if (begun.length <= width) continue;
      const first = begun.shift();
      if (first !== undefined) yield { item: first.item, done: await first.done };
    }
    for (let next = begun.shift(); next !== undefined; next = begun.shift())
      yield { item: next.item, done: await next.done };
  } finally {
    await Promise.allSettled(begun.map(({ done }) => done));
  }
}
