import { createHttpClient } from '../../platform/http-call.js'
import { type ProxySettings, readProxies } from '../../platform/proxy.js'
import type { FoundOrder, VendorAdapter, VendorAnswer, VendorCall, VendorOrder } from './adapter.js'
import { createFileFetch } from './file-fetch.js'
import { accountBody, orderBody } from './http-bodies.js'
import type { Question } from './http-errors.js'
import { readEach } from './http-reading.js'
import * as schemas from './http-schemas.js'
import { createSender, expecting, ok, type Refuse, type Send } from './http-sender.js'

export interface HttpVendorSettings {
  /** Every path lies below it. */
  baseUrl: string
  apiKey: string
  /** One call, whole. */
  timeoutMs: number
  proxy?: ProxySettings
  /** Certificates in PEM to trust instead of the usual ones. */
  ca?: string
  now?: () => number
}

/** The `http` adapter (docs/vendor-api.md). Throws when its settings cannot be used. */
export function createHttpVendor(settings: HttpVendorSettings): VendorAdapter {
  const { proxy = {}, ca, now = Date.now } = settings
  const client = createHttpClient({ proxy, ...(ca === undefined ? {} : { ca }) })
  const send = createSender({ ...settings, now }, client)
  return {
    capabilities: capabilities(send),
    bindAccount: bindAccount(send),
    placeOrder: placeOrder(send),
    findOrder: findOrder(send),
    getOrder: getOrder(send),
    getOrders: getOrders(send),
    changes: changes(send),
    agreements: agreements(send),
    cancelOrder: cancelOrder(send),
    openReport: createFileFetch({
      ownOrigin: new URL(settings.baseUrl).origin,
      proxyFor: readProxies(proxy),
      timeoutMs: settings.timeoutMs,
      ...(ca === undefined ? {} : { ca }),
    }),
    stop: async () => client.stop(),
  }
}

function capabilities(send: Send): VendorAdapter['capabilities'] {
  const question: Question = { method: 'GET', route: '/capabilities' }
  const read = expecting(question, schemas.capabilities, ok)
  const none = { batch: false, changes: false, tripartite: false }
  return (call) => send({ ...question, path: '/capabilities', read, except: { status: 404, means: none } }, call)
}

function bindAccount(send: Send): VendorAdapter['bindAccount'] {
  const question: Question = { method: 'POST', route: '/accounts' }
  const confirmed = expecting(question, schemas.boundAccount, ok)
  return (account, call) => {
    const body = accountBody(account)
    return send(
      {
        ...question,
        path: '/accounts',
        body,
        idempotencyKey: account.accountId,
        read: (answer) => (answer.status === 202 ? ok({ customerId: null }) : confirmed(answer)),
      },
      call,
    )
  }
}

function placeOrder(send: Send): VendorAdapter['placeOrder'] {
  const question: Question = { method: 'POST', route: '/orders', retriesConflict: true }
  const read = expecting(question, schemas.placedOrder, ok)
  return (order, call) => {
    const idempotencyKey = order.backgroundCheckId
    return send({ ...question, path: '/orders', body: orderBody(order), idempotencyKey, read }, call)
  }
}

function findOrder(send: Send): VendorAdapter['findOrder'] {
  const question: Question = { method: 'GET', route: '/orders?background_check_id=…' }
  return (id, call) => {
    const read = expecting(question, schemas.orders, ({ orders }, refuse) => {
      // A server that ignores the query would hand us somebody else's order.
      const strange = orders.findIndex((order) => order.backgroundCheckId !== id)
      if (strange >= 0) return refuse(`orders[${strange}].background_check_id: expected the one asked for`)
      return ok(theOneOf(orders))
    })
    const path = `/orders?background_check_id=${encodeURIComponent(id)}`
    return send<FoundOrder | null>({ ...question, path, read, except: { status: 404, means: null } }, call)
  }
}

/**
 * There should be one. Of several it is the same one whoever asks, in whatever order they come: one that goes on before
 * one that was canceled, then the first by its id.
 */
function theOneOf(orders: readonly VendorOrder[]): FoundOrder | null {
  const byId = new Map(orders.map((order) => [order.orderId, order]))
  const rank = ({ status, orderId }: VendorOrder) => `${status === 'canceled' ? 1 : 0}${orderId}`
  const [first, ...rest] = [...byId.values()].sort((one, other) => (rank(one) < rank(other) ? -1 : 1))
  if (first === undefined) return null
  return rest.length === 0 ? first : { ...first, others: rest.map(({ orderId }) => orderId) }
}

function getOrder(send: Send): VendorAdapter['getOrder'] {
  const question: Question = { method: 'GET', route: '/orders/{order_id}' }
  return (id, call) => {
    const read = expecting(question, schemas.order, (order, refuse) =>
      order.orderId === id ? ok(order) : refuse('order_id: expected the one asked for'),
    )
    const path = `/orders/${encodeURIComponent(id)}`
    return send<VendorOrder | null>({ ...question, path, read, except: { status: 404, means: null } }, call)
  }
}

function getOrders(send: Send): NonNullable<VendorAdapter['getOrders']> {
  const single = getOrder(send)
  const batch = readBatch(send)
  return async (ids, call) => {
    const found = new Map<string, VendorOrder>()
    for (const group of groupsOf(ids)) {
      const [only = ''] = group
      const answer = group.length === 1 ? asList(await single(only, call)) : await batch(group, call)
      if (answer.kind !== 'ok') return answer
      for (const order of answer.value) found.set(order.orderId, order)
    }
    return ok([...found.values()])
  }
}

function asList(answer: VendorAnswer<VendorOrder | null>): VendorAnswer<VendorOrder[]> {
  return answer.kind === 'ok' ? ok(answer.value === null ? [] : [answer.value]) : answer
}

/**
 * No list of these at all (404) is handed on, as `getOrders` says: a hundred calls for one answer would take longer than
 * the claim of whoever asks.
 */
function readBatch(send: Send) {
  const question: Question = { method: 'GET', route: '/orders?ids=…' }
  return (ids: readonly string[], call: VendorCall): Promise<VendorAnswer<VendorOrder[]>> => {
    const asked = new Set(ids)
    const read = expecting(question, schemas.orders, ({ orders }, refuse: Refuse) => {
      const strange = orders.findIndex((order) => !asked.has(order.orderId))
      return strange < 0 ? ok(orders) : refuse(`orders[${strange}].order_id: expected one of those asked for`)
    })
    const path = `/orders?ids=${ids.map(encodeURIComponent).join(',')}`
    return send<VendorOrder[]>({ ...question, path, read }, call)
  }
}

const MOST_IDS = 100
/** Many servers and proxies refuse a request line of more than 8 KiB. */
const MOST_CHARACTERS = 6_000

/** An id with a comma cannot be told from two ids in `ids=`, so it is a group of its own. */
function groupsOf(ids: readonly string[]): string[][] {
  const groups: string[][] = ids.filter((id) => id.includes(',')).map((id) => [id])
  let group: string[] = []
  let length = 0
  for (const id of ids.filter((id) => !id.includes(','))) {
    const more = encodeURIComponent(id).length + 1
    if (group.length === 0 || group.length === MOST_IDS || length + more > MOST_CHARACTERS) {
      group = []
      length = 0
      groups.push(group)
    }
    group.push(id)
    length += more
  }
  return groups
}

function changes(send: Send): NonNullable<VendorAdapter['changes']> {
  const question: Question = { method: 'GET', route: '/orders?changed_after=…' }
  const expired = { expired: true, orders: [], unreadable: [], cursor: '', hasMore: false }
  return (cursor, limit, call) => {
    const read = expecting(question, schemas.changedOrders, ({ orders, cursor: next, has_more: hasMore }, refuse) => {
      if (hasMore && next === (cursor ?? '')) return refuse('cursor: expected another one, since has_more is true')
      const { items, unreadable } = readEach(orders, schemas.order, schemas.namedOrder)
      return ok({ expired: false, orders: items, unreadable, cursor: next, hasMore })
    })
    const path = `/orders?changed_after=${encodeURIComponent(cursor ?? '')}&limit=${limit}`
    return send({ ...question, path, read, except: { status: 410, means: expired } }, call)
  }
}

function agreements(send: Send): NonNullable<VendorAdapter['agreements']> {
  const question: Question = { method: 'GET', route: '/tripartite-agreements?changed_after=…' }
  const expired = { expired: true, agreements: [], unreadable: [], cursor: '', hasMore: false }
  return (cursor, call) => {
    const read = expecting(
      question,
      schemas.changedAgreements,
      ({ agreements, cursor: next, has_more: hasMore }, refuse) => {
        if (hasMore && next === (cursor ?? '')) return refuse('cursor: expected another one, since has_more is true')
        const { items, unreadable } = readEach(agreements, schemas.agreement, schemas.namedAgreement)
        return ok({ expired: false, agreements: items, unreadable, cursor: next, hasMore })
      },
    )
    const path = `/tripartite-agreements?changed_after=${encodeURIComponent(cursor ?? '')}`
    return send({ ...question, path, read, except: { status: 410, means: expired } }, call)
  }
}

function cancelOrder(send: Send): VendorAdapter['cancelOrder'] {
  const question: Question = { method: 'POST', route: '/orders/{order_id}/cancel' }
  const read = getOrder(send)
  return async (id, reason, call) => {
    const path = `/orders/${encodeURIComponent(id)}/cancel`
    const answer = await send<null>({ ...question, path, body: { reason }, read: () => ok(null) }, call)
    if (answer.kind !== 'misconfigured' || answer.status !== 404) return answer
    // One order that the vendor lost must not stop the calls for all others; a wrong path looks the same, so it is not final.
    const found = await read(id, call)
    const lost = found.kind === 'ok' && found.value === null
    return lost
      ? { kind: 'retry', status: 404, message: `${answer.message}; the order is not known`, ambiguous: false }
      : answer
  }
}
