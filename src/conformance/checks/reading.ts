import type { VendorFailure } from '../../flow/vendor/adapter.js'
import { type Check, having, ifOffered } from '../check.js'
import { type Ground, refused, said } from '../ground.js'
import { type CheckOutcome, failed, ok, skipped, warning } from '../result.js'
import { idLike } from '../test-data.js'

const order = (ground: Ground) => ground.order()

export const readingChecks: readonly Check[] = [
  {
    name: 'find-order',
    about: 'GET /orders?background_check_id=… finds the order of a check, and one only.',
    see: 'get-ordersbackground_check_id',
    run: having(order, async ({ orderId, backgroundCheckId }, { vendor }) => {
      const answer = await vendor.findOrder(backgroundCheckId)
      if (answer.kind !== 'ok') return refused('the order', answer)
      if (answer.value === null) return failed('the order that was placed', 'none')
      if (answer.value.backgroundCheckId !== backgroundCheckId)
        return failed('background_check_id as given', 'another, or none')
      if (answer.value.orderId !== orderId) return failed('the order that was placed', 'another order_id')
      const others = answer.value.others?.length ?? 0
      return others === 0 ? ok() : failed('one order', `${others + 1} orders`)
    }),
  },
  {
    name: 'find-order-unknown',
    about: 'GET /orders?background_check_id=… finds nothing for a check that was never placed.',
    see: 'get-ordersbackground_check_id',
    run: async ({ vendor, data }) => {
      const answer = await vendor.findOrder(data.newId())
      const expected = '{"orders":[]} or 404'
      if (answer.kind !== 'ok') return refused(expected, answer)
      return answer.value === null ? ok() : failed(expected, 'an order')
    },
  },
  {
    name: 'get-order',
    about: 'GET /orders/{order_id} answers the order in its documented form.',
    see: 'get-ordersorder_id',
    run: having(order, async (placed, { vendor, named }) => {
      for (const orderId of [placed.orderId, ...named]) {
        const answer = await vendor.getOrder(orderId)
        if (answer.kind !== 'ok') return refused(`order ${orderId}`, answer)
        if (answer.value === null) return failed(`order ${orderId}`, '404, or null')
        if (answer.value.orderId !== orderId) return failed(`order ${orderId}`, 'another order_id')
        const isOther =
          orderId === placed.orderId && ![undefined, placed.backgroundCheckId].includes(answer.value.backgroundCheckId)
        if (isOther) return failed('background_check_id as given', 'another')
      }
      return ok()
    }),
  },
  {
    name: 'get-order-unknown',
    about: 'GET /orders/{order_id} answers 404 for a number that no order has.',
    see: 'get-ordersorder_id',
    run: having(order, async ({ orderId }, { vendor }) => {
      // A number made up may be somebody's by chance, but not three times.
      for (let tries = 0; tries < 3; tries += 1) {
        const answer = await vendor.getOrder(idLike(orderId))
        if (answer.kind === 'final') return warning('404', said(answer))
        if (answer.kind !== 'ok') return refused('404', answer)
        if (answer.value === null) return ok()
      }
      return failed('404', 'an order')
    }),
  },
  {
    name: 'batch',
    about: 'GET /orders?ids=… answers every order that exists, each once.',
    see: 'get-ordersids',
    run: ifOffered(
      'batch',
      having(both, async (ids, { vendor }) => {
        const answer = await vendor.getOrders(ids)
        if (answer.kind !== 'ok') return noList('both orders', answer)
        const found = answer.value.map(({ orderId }) => orderId).toSorted()
        const expected = `${ids.length} orders, each once`
        return found.join() === ids.toSorted().join() ? ok() : failed(expected, `${found.length} orders, or others`)
      }),
    ),
  },
  {
    name: 'batch-unknown',
    about: 'GET /orders?ids=… leaves out what does not exist, and answers the rest.',
    see: 'get-ordersids',
    run: ifOffered(
      'batch',
      having(both, async (ids, ground) => {
        const unknown = await ground.unknownId()
        if (unknown.kind === 'missing') return unknown.outcome
        const answer = await ground.vendor.getOrders([...ids, unknown.value])
        if (answer.kind !== 'ok') return noList('the orders that exist', answer)
        const found = answer.value.map(({ orderId }) => orderId)
        if (found.includes(unknown.value)) return failed('nothing for an unknown id', 'an order')
        const lost = ids.filter((id) => !found.includes(id)).length
        return lost === 0 ? ok() : failed('every order that exists', `${lost} of ${ids.length} left out`)
      }),
    ),
  },
  {
    name: 'batch-100',
    about: 'GET /orders?ids=… takes 100 ids.',
    see: 'get-ordersids',
    run: ifOffered(
      'batch',
      having(both, async (ids, { vendor }) => {
        const [first = ''] = ids
        const asked = new Set(ids)
        for (let tries = 0; asked.size < 100 && tries < 1000; tries += 1) asked.add(idLike(first))
        if (asked.size < 100) return skipped('order ids are too short to make up 100 of them')
        const answer = await vendor.getOrders([...asked])
        if (answer.kind !== 'ok') return noList('an answer to 100 ids', answer)
        const found = new Set(answer.value.map(({ orderId }) => orderId))
        return ids.every((id) => found.has(id))
          ? ok()
          : failed('the orders that exist, among 100 ids', 'not all of them')
      }),
    ),
  },
]

/** After 404 the orders are asked for one by one, as without the capability. */
function noList(expected: string, answer: VendorFailure): CheckOutcome {
  return answer.kind === 'retry' && answer.status === 404 ? warning(expected, said(answer)) : refused(expected, answer)
}

async function both(ground: Ground) {
  const one = await ground.order()
  if (one.kind === 'missing') return one
  const other = await ground.other()
  if (other.kind === 'missing') return other
  return { kind: 'had' as const, value: [one.value.orderId, other.value.orderId] }
}
