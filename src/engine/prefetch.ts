/**
 * The same items, the next one already under way while the consumer works on the last. `stop` must end a wait inside
 * `items`: a consumer that leaves early would otherwise wait for an item that never comes.
 */
export async function* prefetched<T>(items: AsyncIterable<T>, stop: () => void): AsyncGenerator<T> {
  const iterator = items[Symbol.asyncIterator]();
  let coming = iterator.next();
  try {
    for (;;) {
      const item = await coming;
      if (item.done) return;
      coming = iterator.next();
      // A failure is told when its turn comes.
      coming.catch(() => {});
      yield item.value;
    }
  } finally {
    stop();
    await coming.catch(() => {});
    await iterator.return?.();
  }
}
