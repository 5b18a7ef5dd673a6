import type { Check } from '../check.js'
import type { Ground } from '../ground.js'
import { type CheckOutcome, failed, ok, skipped, warning } from '../result.js'
import { reason } from './canceling.js'

/** What the calls of all checks before show together. */
export const wholeChecks: readonly Check[] = [
  {
    name: 'retry-after',
    about: 'An answer of 429 says with Retry-After when to come again.',
    see: 'statuses',
    run: async ({ watch: { calls } }) => {
      const seen = calls.flatMap(({ answer }) => (answer.kind === 'retry' && answer.status === 429 ? [answer] : []))
      if (seen.length === 0) return skipped('no 429 was seen')
      const without = seen.filter(({ retryAfterMs }) => retryAfterMs === undefined).length
      return without === 0
        ? ok(`${seen.length} of 429`)
        : warning('Retry-After with 429', `${without} of ${seen.length} without`)
    },
  },
  {
    name: 'answers',
    about: 'An adapter answers with its documented unions, and throws nothing.',
    see: 'an-adapter-of-your-own',
    run: async ({ watch: { broken }, wire }) => {
      if (wire !== null) return skipped('the http adapter does')
      const [first] = broken
      return first === undefined
        ? ok()
        : failed('ok, final, retry or misconfigured, as documented', `${first} (${broken.length} in all)`)
    },
  },
  {
    name: 'latency',
    about: 'Answers come well within VENDOR_TIMEOUT_MS.',
    see: 'statuses',
    run: async ({ watch: { calls }, terms }) => {
      const times = calls.map(({ ms }) => ms).toSorted((one, other) => one - other)
      const max = times.at(-1)
      if (max === undefined) return skipped('no call was made')
      const half = times[Math.floor((times.length - 1) / 2)] ?? max
      const found = `p50 ${Math.round(half)} ms, max ${Math.round(max)} ms, ${times.length} calls`
      if (max >= terms.timeoutMs) return failed(`less than ${terms.timeoutMs} ms`, found)
      return max > terms.timeoutMs / 2 ? warning(`less than half of ${terms.timeoutMs} ms`, found) : ok(found)
    },
  },
]

export const cleaningUp: Check = {
  name: 'clean-up',
  about: 'What the checks placed is canceled.',
  see: 'post-ordersorder_idcancel',
  run: cleanUp,
}

async function cleanUp(ground: Ground): Promise<CheckOutcome> {
  const left: string[] = []
  let canceled = ground.canceled.size
  for (const [backgroundCheckId, known] of ground.asked) {
    const found = await ordersOf(backgroundCheckId, known, ground)
    if (found === null) left.push(`of check ${backgroundCheckId}, which cannot be looked for`)
    for (const orderId of found ?? []) {
      if (ground.canceled.has(orderId)) continue
      const answer = await ground.vendor.cancelOrder(orderId, reason)
      // 409: it is over already.
      const isOver = answer.kind === 'ok' || (answer.kind === 'final' && answer.status === 409)
      if (isOver) canceled += 1
      else left.push(orderId)
    }
  }
  const found = `${canceled} ${canceled === 1 ? 'order' : 'orders'}`
  return left.length === 0 ? ok(found) : warning('all orders canceled', `${left.length} left: ${left.join(', ')}`)
}

/** Placings that failed may have made an order all the same. `null`: there may be one, and nobody can tell. */
async function ordersOf(
  backgroundCheckId: string,
  known: ReadonlySet<string>,
  { vendor, unsure }: Ground,
): Promise<string[] | null> {
  const found = await vendor.findOrder(backgroundCheckId)
  if (found.kind !== 'ok' && known.size === 0 && unsure.has(backgroundCheckId)) return null
  if (found.kind !== 'ok' || found.value === null) return [...known]
  return [...new Set([...known, found.value.orderId, ...(found.value.others ?? [])])]
}
