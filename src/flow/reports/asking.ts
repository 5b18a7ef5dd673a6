import type { ReportToOpen, VendorAdapter, VendorOrder } from '../vendor/adapter.js'
import { createSemaphore } from '../vendor/semaphore.js'
import type { SentReport } from './find.js'
import { latestOf } from './latest.js'

/** Readers of a PDF ask for many ranges in a row; the vendor is asked for its link once in so long. */
const keptMs = 30_000
const mostKept = 500
/** So few questions at a time leave places for polling. */
const mostAtOnce = 4
/** A reader waits for the file, too: after so long the link that was sent has to do. */
const usualWithinMs = 5000

export type Asked = Pick<VendorAdapter, 'getOrder'> | null

export interface Asking {
  /** `kept`: the vendor was not asked for this, but a moment ago. Without a vendor it is the link that was sent. */
  latest(vendor: Asked, sent: SentReport, signal: AbortSignal): Promise<{ report: ReportToOpen; kept: boolean }>
  forget(sent: SentReport): void
}

/** Asks the vendor for the order behind a report, since links of many vendors end long before ours. */
export function createAsking(now: () => number, withinMs = usualWithinMs): Asking {
  const kept = new Map<string, { report: ReportToOpen; until: number }>()
  const places = createSemaphore(mostAtOnce)
  const ask = async (vendor: Asked, sent: SentReport, caller: AbortSignal): Promise<VendorOrder | null> => {
    if (vendor === null || sent.vendorOrderId === null) return null
    const { signal, stop } = within(withinMs, caller)
    const leave = await places.take(signal)
    try {
      if (leave === null) return null
      const answer = await vendor.getOrder(sent.vendorOrderId, { signal })
      return answer.kind === 'ok' ? ownOnly(answer.value, sent) : null
    } finally {
      leave?.()
      stop()
    }
  }
  return {
    latest: async (vendor, sent, signal) => {
      const known = kept.get(keyOf(sent))
      if (known !== undefined && now() < known.until) return { report: known.report, kept: true }
      const order = await ask(vendor, sent, signal)
      const report = latestOf(sent, order)
      if (order !== null) keep(kept, keyOf(sent), { report, until: now() + keptMs })
      return { report, kept: false }
    },
    forget: (sent) => {
      kept.delete(keyOf(sent))
    },
  }
}

/** Not AbortSignal.any: on Node 20 it keeps what it made for as long as the caller's signal lives. */
function within(ms: number, caller: AbortSignal): { signal: AbortSignal; stop: () => void } {
  const own = new AbortController()
  const abort = () => own.abort()
  const timer = setTimeout(abort, ms)
  if (caller.aborted) abort()
  else caller.addEventListener('abort', abort, { once: true })
  const stop = () => {
    clearTimeout(timer)
    caller.removeEventListener('abort', abort)
  }
  return { signal: own.signal, stop }
}

/** A vendor that mixes up its orders must not have another candidate's report read here. */
function ownOnly(order: VendorOrder | null, { backgroundCheckId }: SentReport): VendorOrder | null {
  return (order?.backgroundCheckId ?? backgroundCheckId) === backgroundCheckId ? order : null
}

function keyOf({ deliveryId, report, namesakes }: SentReport): string {
  return JSON.stringify([deliveryId, report.report_name, namesakes])
}

/** The oldest go first. */
function keep<T>(kept: Map<string, T>, key: string, value: T): void {
  kept.delete(key)
  kept.set(key, value)
  for (const oldest of kept.keys()) {
    if (kept.size <= mostKept) return
    kept.delete(oldest)
  }
}
