import type { OrderToPlace } from '../../flow/vendor/adapter.js'
import { type Check, having } from '../check.js'
import { type Ground, refused, said } from '../ground.js'
import { type CheckOutcome, failed, type Had, had, missing, ok, skipped, warning } from '../result.js'

export const accountChecks: readonly Check[] = [
  {
    name: 'bind-account',
    about: 'POST /accounts answers which customer an account is, or null while that cannot be told.',
    see: 'post-accounts',
    run: async ({ vendor, data }) => {
      const answer = await vendor.bindAccount(data.account)
      if (answer.kind !== 'ok') return refused('{"customer_id"}, or 202', answer)
      return answer.value.customerId === null ? ok('not confirmed yet') : ok()
    },
  },
  {
    name: 'bind-account-again',
    about: 'The same account is the same customer when it is bound again.',
    see: 'post-accounts',
    run: having(
      (ground) => ground.bound(),
      async ({ customerId }, { vendor, data }) => {
        const again = await vendor.bindAccount(data.account)
        if (again.kind !== 'ok') return refused('the same customer again', again)
        if (customerId === null) return skipped('the account is not confirmed yet')
        return again.value.customerId === customerId
          ? ok()
          : failed('the same customer again', 'another customer, or none')
      },
    ),
  },
]

export const placingChecks: readonly Check[] = [
  {
    name: 'place-order',
    about: 'POST /orders takes an order and answers its number.',
    see: 'post-orders',
    run: async (ground) => {
      const placed = await ground.order()
      if (placed.kind === 'had') return ok(`order ${placed.value.orderId}`)
      const expected = 'an order for this account and package (--account-id, --package-id)'
      return placed.failure === undefined ? placed.outcome : refused(expected, placed.failure)
    },
  },
  {
    name: 'place-order-sparse',
    about: 'An order without anything that Feishu may leave out is taken, or refused for good.',
    see: 'post-orders',
    run: async (ground) => {
      await ground.bound()
      const answer = await ground.place(ground.data.order('sparse'))
      if (answer.kind === 'ok') return ok()
      const expected = 'an order, although candidate and contact are {}'
      return answer.kind === 'final' ? warning(expected, said(answer)) : refused(expected, answer)
    },
  },
  {
    name: 'idempotency-key',
    about: 'The same Idempotency-Key again answers with the same order, and makes no second one.',
    see: 'post-orders',
    run: having(placedAnew, async ({ order, orderId }, ground) => {
      const again = await ground.place(order)
      if (again.kind !== 'ok') return refused('the same order again', again)
      return oneOrder([orderId, again.value.orderId], order.backgroundCheckId, ground)
    }),
  },
  {
    name: 'idempotency-key-at-once',
    about: 'Five requests at once with one Idempotency-Key make one order.',
    see: 'post-orders',
    run: async (ground) => {
      const order = ground.data.order()
      const answers = await Promise.all(Array.from({ length: 5 }, () => ground.place(order)))
      const placed = answers.flatMap((answer) => (answer.kind === 'ok' ? [answer.value.orderId] : []))
      const [refusal] = answers.flatMap((answer) => (answer.kind === 'ok' ? [] : [answer]))
      if (placed.length === 0 && refusal?.kind === 'final') return skipped(`place-order comes first: ${said(refusal)}`)
      const judged = await oneOrder(placed, order.backgroundCheckId, ground)
      if (judged.outcome !== 'ok' || refusal === undefined) return judged
      return refused('the same order to each, or 409 while the first is running', refusal)
    },
  },
  {
    name: 'idempotency-key-other-body',
    about: 'The same Idempotency-Key with another body makes no second order.',
    see: 'post-orders',
    run: having(placedAnew, async ({ order, orderId }, ground) => {
      const other = await ground.place({ ...order, comment: `${order.comment} (changed)` })
      const expected = 'the same order, whatever the body'
      const placed = other.kind === 'ok' ? [orderId, other.value.orderId] : [orderId]
      const judged = await oneOrder(placed, order.backgroundCheckId, ground)
      if (judged.outcome !== 'ok' || other.kind === 'ok') return judged
      const isRefusal = other.kind === 'final' || other.status === 409
      return isRefusal ? warning(expected, said(other)) : refused(expected, other)
    }),
  },
]

async function placedAnew(ground: Ground): Promise<Had<{ order: OrderToPlace; orderId: string }>> {
  const order = ground.data.order()
  const placed = await ground.place(order)
  return placed.kind === 'ok'
    ? had({ order, orderId: placed.value.orderId })
    : missing(skipped(`place-order comes first: ${said(placed)}`))
}

async function oneOrder(ids: readonly string[], backgroundCheckId: string, { vendor }: Ground): Promise<CheckOutcome> {
  const distinct = new Set(ids).size
  const expected = 'one order for one key'
  if (distinct > 1) return failed(expected, `${distinct} orders: the Idempotency-Key is not honoured`)
  const found = await vendor.findOrder(backgroundCheckId)
  const others = found.kind === 'ok' ? (found.value?.others?.length ?? 0) : 0
  return others === 0 ? ok() : failed(expected, `the look-up finds ${others + 1} orders`)
}
