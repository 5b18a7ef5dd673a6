import { z } from 'zod'
import { vendorOrderChanged } from '../../flow/orders/nudge.js'
import { anyBody, none, ok, type Route, route } from './route.js'

/** Ids beyond these can be no order's: they are taken, and need not be remembered. */
const canBeKnown = /^[^\p{Cc}\p{Cs}]{1,1000}$/u

const changed = route({
  method: 'POST',
  path: '/v1/vendor/orders/{vendor_order_id}/changed',
  summary: 'The vendor says that an order changed; remembered for an hour when it is not known yet',
  scopes: ['notify', 'operate'],
  status: 202,
  params: z.object({ vendor_order_id: z.string() }),
  query: none,
  // Whatever a vendor's system puts into its notice says no more than the path does.
  body: anyBody,
  run: async ({ database, hints }, { params: { vendor_order_id: id } }) => {
    if (canBeKnown.test(id) && (await database.transaction((sql) => vendorOrderChanged(sql, id)))) hints.send('poll')
    return ok({ vendor_order_id: id })
  },
})

export const vendorOrderRoutes: readonly Route[] = [changed]
