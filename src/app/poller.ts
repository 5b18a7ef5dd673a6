import type { Overrides, Parts } from '../app.js'
import { startHousekeeping } from '../flow/housekeeping/start.js'
import { startInboxWorker } from '../flow/inbox/worker.js'
import { startVendorSide } from '../flow/orders/start.js'
import type { VendorAccess } from '../flow/vendor/access.js'
import type { Lifetime } from '../platform/lifetime.js'

/** Effects of events, all calls to the vendor, and what goes by the clock. */
export function startPollerRole(parts: Parts, vendor: VendorAccess, workers: Lifetime, overrides: Overrides): void {
  const { database, sealer, hints, log, metrics } = parts
  const vendorSide = workers.add(startVendorSide(parts, vendor))
  const worker = workers.add(
    startInboxWorker({
      database,
      sealer,
      log,
      onEffect: () => vendorSide.wake(),
      onSettled: (type, state) => metrics.eventsSettled.inc({ type, state }),
      onFailure: (loop) => metrics.failures.inc({ loop }),
    }),
  )
  hints.listen('inbox', () => worker.wake())
  workers.add(startHousekeeping(parts, overrides.housekeeping))
}
