/**
 * Does the work for each item, for `atOnce` of them at a time, begun in order. After a failure no more is begun; what the
 * earliest item that failed has raised is raised once all has ended.
 */
export async function inTurns<T>(items: Iterable<T>, atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const all = [...items];
  const failures: { index: number; error: unknown }[] = [];
  let next = 0;
  const worker = async () => {
    while (next < all.length && failures.length === 0) {
      const index = next++;
      await work(all[index] as T).catch((error: unknown) => {
        failures.push({ index, error });
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, all.length) }, worker));
  const [earliest] = failures.sort((a, b) => a.index - b.index);
  if (earliest !== undefined) throw earliest.error;
}
