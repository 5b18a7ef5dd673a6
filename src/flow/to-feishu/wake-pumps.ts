import type { Hints } from '../../platform/queue/hints.js'

/** Says that deliveries of these buckets are due. For whoever put them, once the transaction is committed. */
export function wakePumps(hints: Pick<Hints, 'send'>, buckets: readonly number[]): void {
  for (const bucket of buckets) hints.send('pump', String(bucket))
}

/** Where that is heard. */
export function listenForDue(hints: Pick<Hints, 'listen'>, wake: (bucket: number) => void): void {
  hints.listen('pump', (bucket) => wake(Number(bucket)))
}
