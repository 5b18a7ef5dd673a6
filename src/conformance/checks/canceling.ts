import type { VendorOrder } from '../../flow/vendor/adapter.js'
import { type Check, having } from '../check.js'
import { type Ground, type PlacedOrder, refused, said } from '../ground.js'
import { failed, type Had, had, missing, ok, skipped, warning } from '../result.js'

export const reason = 'bgc vendor check'

export const cancelingChecks: readonly Check[] = [
  {
    name: 'cancel-order',
    about: 'POST /orders/{order_id}/cancel stops an order.',
    see: 'post-ordersorder_idcancel',
    run: async (ground) => {
      const canceled = await cancelOnce(ground)
      return canceled.kind === 'missing' ? canceled.outcome : ok()
    },
  },
  {
    name: 'cancel-order-again',
    about: 'A cancel that comes again succeeds again.',
    see: 'post-ordersorder_idcancel',
    run: having(canceledOrder, async ({ orderId }, { vendor }) => {
      const again = await vendor.cancelOrder(orderId, reason)
      return again.kind === 'ok' ? ok() : refused('2xx, as the first time', again)
    }),
  },
  {
    name: 'cancel-order-status',
    about: 'An order that was canceled is canceled when it is read.',
    see: 'post-ordersorder_idcancel',
    run: having(canceledOrder, async ({ orderId }, ground) => {
      const order = await untilCanceled(orderId, ground)
      if (order.kind === 'missing') return order.outcome
      const { status } = order.value
      if (status === 'canceled') return ok()
      return warning(`canceled within ${ground.terms.patienceMs / 1000} s`, status)
    }),
  },
  {
    name: 'cancel-order-unknown',
    about: 'A cancel of an order that does not exist is answered with 410 or 2xx.',
    see: 'post-ordersorder_idcancel',
    run: having(
      (ground) => ground.unknownId(),
      async (id, { vendor }) => {
        const answer = await vendor.cancelOrder(id, reason)
        if (answer.kind === 'ok' || answer.kind === 'final') return ok()
        const expected = '410 or 2xx'
        // Understood, as the order is looked up then, and tried again for three days.
        return answer.kind === 'retry' && answer.status === 404
          ? warning(expected, said(answer))
          : refused(expected, answer)
      },
    ),
  },
]

/** The first cancel of the order that most checks look at: it comes last. */
function cancelOnce(ground: Ground): Promise<Had<PlacedOrder>> {
  return ground.once('canceled', async () => {
    const placed = await ground.order()
    if (placed.kind === 'missing') return placed
    const { orderId } = placed.value
    const answer = await ground.vendor.cancelOrder(orderId, reason)
    if (answer.kind === 'ok') {
      ground.canceled.add(orderId)
      return had(placed.value)
    }
    // One that completed by itself meanwhile can no longer be stopped.
    const read = answer.kind === 'final' && answer.status === 409 ? await ground.vendor.getOrder(orderId) : null
    const isOver = read?.kind === 'ok' && read.value?.status === 'completed'
    return missing(isOver ? skipped('the order is completed, and answers 409 as it may') : refused('2xx', answer))
  })
}

async function canceledOrder(ground: Ground): Promise<Had<PlacedOrder>> {
  const canceled = await cancelOnce(ground)
  const isRefused = canceled.kind === 'missing' && canceled.outcome.outcome === 'failed'
  return isRefused ? missing(skipped('cancel-order comes first')) : canceled
}

async function untilCanceled(orderId: string, { vendor, terms }: Ground): Promise<Had<VendorOrder>> {
  const begun = performance.now()
  for (;;) {
    const answer = await vendor.getOrder(orderId)
    if (answer.kind !== 'ok') return missing(refused('the order', answer))
    if (answer.value === null) return missing(failed('the order, canceled', '404, or null'))
    if (answer.value.status === 'canceled' || performance.now() - begun > terms.patienceMs || terms.isOver())
      return had(answer.value)
    await terms.pause(Math.min(terms.pollMs, terms.patienceMs / 10))
  }
}
