import type { Logger } from '../../platform/logger.js'
import { type Loop, startLoop } from '../../platform/loop.js'
import type { Capabilities, VendorAdapter } from './adapter.js'

const hourMs = 3_600_000
const retryMs = 10_000

/** What the vendor can do beyond the least: asked at start and hourly; until it is known, nothing more than the least. */
export interface KnownCapabilities extends Loop {
  current(): Capabilities
}

export function startCapabilities(vendor: VendorAdapter, log: Logger): KnownCapabilities {
  let known: Capabilities = { batch: false, changes: false, tripartite: false }
  const loop = startLoop({
    name: 'vendor-capabilities',
    everyMs: hourMs,
    log,
    turn: async (signal) => {
      const answer = await vendor.capabilities({ signal })
      if (answer.kind === 'ok') {
        known = answer.value
        return hourMs
      }
      const line = { event: 'vendor.capabilities', reason: answer.message, status: answer.status }
      log.warn(line, 'the capabilities are not known')
      return Math.max(retryMs, answer.kind === 'retry' ? (answer.retryAfterMs ?? 0) : 0)
    },
  })
  return { ...loop, current: () => known }
}
