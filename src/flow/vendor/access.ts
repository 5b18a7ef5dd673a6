import type { Parts } from '../../app.js'
import type { Started } from '../../platform/lifetime.js'
import { describeForeignError } from '../../platform/logger.js'
import type { VendorAdapter } from './adapter.js'
import { type Breaker, createBreaker } from './breaker.js'
import { guardVendor, type VendorCallReport } from './guarded.js'
import { loadVendor } from './load.js'
import { createVendorWindows, noWindows, type VendorWindows } from './windows.js'

/** The vendor as a process knows it: one adapter behind one breaker, whoever calls. It ends after all who call. */
export interface VendorAccess extends Started {
  vendor: VendorAdapter
  breaker: Breaker
  /** Called after each call, when the breaker may have changed. */
  listen(listener: () => void): void
}

const breakerTerms = { failuresToOpen: 5, openMs: 1000, maxOpenMs: 60_000 }

/** Throws an error that says what to mend when there is no such adapter. */
export async function openVendor(parts: Parts, override?: VendorAdapter): Promise<VendorAccess> {
  const { config, log, random } = parts
  const { timeoutMs, concurrency } = config.vendor
  const breaker = createBreaker({ ...breakerTerms, probeMs: timeoutMs + 5000, now: () => performance.now(), random })
  const adapter = override ?? (await loadVendor(settingsOf(parts)))
  const listeners: Array<() => void> = []
  const onCall = (call: VendorCallReport) => {
    reportCall(parts, call)
    for (const listener of listeners) listener()
  }
  const onPause = (ms: number) => {
    log.warn({ event: 'vendor.paused', ms }, 'the vendor answered 429 and asked not to be called for so long')
  }
  const waitMs = longestWaitMs(timeoutMs)
  const vendor = guardVendor(adapter, { breaker, concurrency, windows: windowsOf(parts), waitMs, onCall, onPause })
  return { vendor, breaker, listen: (listener) => listeners.push(listener), stop: async () => vendor.stop?.() }
}

/** How long a call may wait for its turn; claims are made to outlive it. */
export function longestWaitMs(timeoutMs: number): number {
  return Math.min(5000, timeoutMs)
}

/** One bucket for each host of a vendor; what an own adapter calls is one host. */
function windowsOf({ config, database, limiter, log }: Parts): VendorWindows {
  const { baseUrl, rateLimits: windows, timeoutMs, adapter } = config.vendor
  if (windows.length === 0) return noWindows()
  const host = adapter === 'http' && baseUrl !== undefined ? new URL(baseUrl).host : 'own adapter'
  const alone = config.redis === undefined
  return createVendorWindows({ database, limiter, log, host, windows, timeoutMs, alone })
}

function settingsOf({ config }: Parts) {
  const { adapter, baseUrl, apiKey, timeoutMs, environment } = config.vendor
  const http =
    baseUrl === undefined || apiKey === undefined ? {} : { http: { baseUrl, apiKey, timeoutMs, proxy: config.proxy } }
  return { adapter, environment, ...http }
}

function reportCall({ metrics, log }: Parts, { verb, durationMs, answer, thrown }: VendorCallReport): void {
  metrics.vendorCalls.inc({ verb, outcome: answer.kind })
  metrics.vendorSeconds.observe({ verb }, durationMs / 1000)
  const status = answer.kind === 'ok' ? {} : { status: answer.status }
  const call = { event: 'vendor.call', verb, outcome: answer.kind, ...status, elapsed_ms: Math.round(durationMs) }
  log.debug(call, 'the vendor was called')
  if (thrown !== undefined)
    log.error({ event: 'vendor.adapter_threw', verb, thrown: describeForeignError(thrown) }, 'the adapter threw')
}
