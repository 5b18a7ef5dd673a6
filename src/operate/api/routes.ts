import { accountRoutes } from './accounts.js'
import { agreementRoutes } from './agreements.js'
import { auditRoutes } from './audit.js'
import { catalogRoutes } from './catalogs.js'
import { deliveryRoutes } from './deliveries.js'
import { deliveryRetryRoutes } from './delivery-retries.js'
import { eventRoutes } from './events.js'
import { findingRoutes } from './findings.js'
import { holdRoutes } from './holds.js'
import { orderSearchRoutes } from './order-search.js'
import { orderWriteRoutes } from './order-writes.js'
import { orderRoutes } from './orders.js'
import { personalDataRoutes } from './personal-data.js'
import { quotaRoutes } from './quotas.js'
import type { Route } from './route.js'
import { sweepRoutes } from './sweeps.js'
import { vendorOrderRoutes } from './vendor-orders.js'

/** Everything below /v1. */
export const routes: readonly Route[] = [
  ...orderRoutes,
  ...orderWriteRoutes,
  ...orderSearchRoutes,
  ...personalDataRoutes,
  ...vendorOrderRoutes,
  ...deliveryRoutes,
  ...deliveryRetryRoutes,
  ...eventRoutes,
  ...accountRoutes,
  ...catalogRoutes,
  ...agreementRoutes,
  ...holdRoutes,
  ...findingRoutes,
  ...sweepRoutes,
  ...quotaRoutes,
  ...auditRoutes,
]
