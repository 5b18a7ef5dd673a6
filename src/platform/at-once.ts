/**
 * Does the work for each item, for at most `atOnce` of them at a time, and ends when nothing is under way any more. A
 * failure ends one of the `atOnce`, the others go on; it rejects with the first.
 */
export async function forEachAtOnce<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items.values()
  const workThrough = async () => {
    for (const item of waiting) await work(item)
  }
  const ended = await Promise.allSettled(Array.from({ length: Math.min(atOnce, items.length) }, workThrough))
  const failed = ended.find((each) => each.status === 'rejected')
  if (failed) throw failed.reason
}

/** Items with the same key, in the order in which they came. */
export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group) group.push(item)
    else groups.set(keyOf(item), [item])
  }
  return [...groups.values()]
}
