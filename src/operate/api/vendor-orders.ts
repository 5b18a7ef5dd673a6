import { z } from 'zod'
import { vendorOrderChanged } from '../../flow/orders/nudge.js'
import type { Audit } from './audited.js'
import { first } from './looks.js'
import { anyBody, none, ok, type Route, route } from './route.js'

/** Ids beyond these can be no order's: they are taken, and need not be remembered. */
const canBeKnown = /^[^\p{Cc}\p{Cs}]{1,1000}$/u

/** Whether the polls of an order are due, or its number is remembered: a notice that changes neither is no news. */
const ofNotice: Audit<{ params: { vendor_order_id: string } }> = {
  subject: ({ params }) => `vendor_order:${params.vendor_order_id}`,
  look: async (sql, { params: { vendor_order_id: id } }) =>
    canBeKnown.test(id)
      ? first(
          sql,
          `SELECT array(SELECT o.background_check_id FROM orders o JOIN poll_schedule p USING (background_check_id)
                        WHERE o.vendor_order_id = $1 AND (p.due_at <= now() OR p.nudged) ORDER BY 1) AS polled,
                  EXISTS (SELECT 1 FROM vendor_nudges WHERE vendor_order_id = $1) AS remembered`,
          [id],
        )
      : undefined,
}

const changed = route({
  id: 'vendor_orders.changed',
  method: 'POST',
  path: '/v1/vendor/orders/{vendor_order_id}/changed',
  summary: 'The vendor says that an order changed; remembered for an hour when it is not known yet',
  scopes: ['notify', 'operate'],
  status: 202,
  params: z.object({ vendor_order_id: z.string() }),
  query: none,
  // Whatever a vendor's system puts into its notice says no more than the path does.
  body: anyBody,
  answer: z.object({ vendor_order_id: z.string() }).meta({ id: 'NoticeTaken' }),
  problems: [],
  audit: ofNotice,
  run: async ({ hints }, { params: { vendor_order_id: id } }, write) => {
    const polled = await write(
      async (sql) => canBeKnown.test(id) && vendorOrderChanged(sql, id),
      (known) => known,
      'when_changed',
    )
    if (polled.kind === 'problem') return polled
    if (polled.result) hints.send('poll')
    return ok({ vendor_order_id: id })
  },
})

export const vendorOrderRoutes: readonly Route[] = [changed]
