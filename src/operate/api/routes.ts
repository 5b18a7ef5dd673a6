import { accountRoutes } from './accounts.js'
import { deliveryRoutes } from './deliveries.js'
import { deliveryRetryRoutes } from './delivery-retries.js'
import { eventRoutes } from './events.js'
import { holdRoutes } from './holds.js'
import { orderRoutes } from './orders.js'
import type { Route } from './route.js'
import { vendorOrderRoutes } from './vendor-orders.js'

/** Everything below /v1. */
export const routes: readonly Route[] = [
  ...orderRoutes,
  ...vendorOrderRoutes,
  ...deliveryRoutes,
  ...deliveryRetryRoutes,
  ...eventRoutes,
  ...accountRoutes,
  ...holdRoutes,
]
