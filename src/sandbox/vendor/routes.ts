import { z } from 'zod'
import { complaints, readable } from '../support/complaint.js'
import type { Accounts } from './accounts.js'
import type { Feed, FeedPage } from './feed.js'
import type { VendorOperation } from './journal.js'
import type { VendorCapabilities, VendorOptions } from './options.js'
import type { VendorOrder, VendorOrders } from './orders.js'
import type { ReportLinks } from './reports.js'

export type VendorAnswer = { status: number; body: unknown; applied?: boolean; orderId?: string; differs?: boolean }
export type VendorCall = {
  params: { id?: string }
  query: Record<string, string>
  body: unknown
  idempotencyKey: string | undefined
}
export type AgreementChange = { id: string; tenant_key: string; state: number; modify_time: number; number: number }

export type VendorState = {
  options: VendorOptions
  capabilities: VendorCapabilities | undefined
  accounts: Accounts
  orders: VendorOrders
  agreements: Map<string, AgreementChange>
  orderFeed: Feed
  agreementFeed: Feed
  links: ReportLinks
  /** Order ids by Idempotency-Key, with the body that came first. */
  keys: Map<string, { orderId: string; tenantKey: string; body: string }>
  onPlaced: (order: VendorOrder) => void
  show: (order: VendorOrder) => unknown
}

const digits = z.string().regex(/^\d{1,19}$/, 'expected an id of up to 19 digits as a string')
const text = z.string().nullish()
const mobile = z.strictObject({ code: text, number: text }).nullish()
const person = z.strictObject({ name: text, first_name: text, last_name: text, email: text, mobile })
const values = z.record(z.string(), z.string()).nullish()

const accountBody = z.strictObject({
  account_id: digits,
  tenant_key: z.string().min(1),
  account_name: text,
  usage_list: z.array(z.int()).nullish(),
  custom_fields: values,
})
const orderBody = z.strictObject({
  background_check_id: digits,
  account_id: digits,
  tenant_key: z.string().min(1),
  package_id: text,
  additional_item_ids: z.array(z.string()).nullish(),
  candidate: person,
  contact: person.nullish(),
  custom_fields: values,
  comment: text,
})
const cancelBody = z.strictObject({ reason: text })

/** The vendor's side of docs/vendor-api.md: what each call does, and what it answers. */
export const operations: Record<
  Exclude<VendorOperation, 'files'>,
  (state: VendorState, call: VendorCall) => VendorAnswer
> = {
  capabilities: ({ capabilities }) =>
    capabilities ? { status: 200, body: capabilities } : notFound('GET /capabilities'),
  'accounts.create': createAccount,
  'orders.create': createOrder,
  'orders.find': ({ orders, show }, { query }) => ok({ orders: orders.of(query.background_check_id ?? '').map(show) }),
  'orders.get': ({ orders, show }, { params }) => {
    const order = orders.find(params.id ?? '')
    return order ? { ...ok(show(order)), orderId: order.orderId } : notFound(`order ${params.id}`)
  },
  'orders.batch': readBatch,
  'orders.changes': readChanges,
  'orders.cancel': cancelOrder,
  'tripartite.changes': readAgreements,
}

function createAccount({ options, accounts }: VendorState, { body, idempotencyKey }: VendorCall): VendorAnswer {
  const parsed = accountBody.safeParse(body)
  if (!parsed.success) return unprocessable(readable(complaints(parsed.error, body)))
  const wrongKey = keyProblem(idempotencyKey, parsed.data.account_id)
  if (wrongKey) return wrongKey
  const account = accounts.ask(parsed.data, (options.confirmAccounts ?? 'at_once') === 'at_once')
  if (!account.confirmed) return { status: 202, body: { customer_id: null }, applied: true }
  const catalog = options.catalog?.(account)
  return {
    status: 200,
    body: { customer_id: account.customerId, ...(catalog === undefined ? {} : { catalog }) },
    applied: true,
  }
}

function createOrder(state: VendorState, { body, idempotencyKey }: VendorCall): VendorAnswer {
  const parsed = orderBody.safeParse(body)
  if (!parsed.success) return unprocessable(readable(complaints(parsed.error, body)))
  const { background_check_id: backgroundCheckId, account_id: accountId, tenant_key: tenantKey } = parsed.data
  const wrongKey = keyProblem(idempotencyKey, backgroundCheckId)
  if (wrongKey) return wrongKey
  const placedBody = JSON.stringify(body)
  const known = state.keys.get(backgroundCheckId)
  // Feishu promises unique ids inside one tenant only: another tenant may never be given this order.
  if (known && known.tenantKey !== tenantKey)
    return unprocessable(`Idempotency-Key ${backgroundCheckId} is another tenant's`)
  if (known && state.options.idempotencyKeys !== 'ignored') {
    const differs = known.body !== placedBody
    return { status: 201, body: { order_id: known.orderId }, orderId: known.orderId, ...(differs ? { differs } : {}) }
  }
  const packageId = parsed.data.package_id ?? null
  const order = state.orders.place({ backgroundCheckId, accountId, tenantKey, packageId, placed: body })
  state.keys.set(backgroundCheckId, { orderId: order.orderId, tenantKey, body: placedBody })
  state.onPlaced(order)
  return { status: 201, body: { order_id: order.orderId }, orderId: order.orderId, applied: true }
}

function readBatch({ capabilities, orders, show }: VendorState, { query }: VendorCall): VendorAnswer {
  if (!capabilities?.batch) return notFound('GET /orders?ids= (the capability batch is off)')
  const ids = (query.ids ?? '').split(',').filter((id) => id !== '')
  if (ids.length === 0 || ids.length > 100) return unprocessable(`ids: expected 1 to 100; ${ids.length} came`)
  return ok({ orders: ids.flatMap((id) => orders.find(id) ?? []).map(show) })
}

function readChanges({ capabilities, orders, orderFeed, show }: VendorState, { query }: VendorCall): VendorAnswer {
  if (!capabilities?.changes) return notFound('GET /orders?changed_after= (the capability changes is off)')
  const limit = limitOf(query)
  if (typeof limit !== 'number') return limit
  const page = orderFeed.read(orders.all(), (order) => order.changed, query.changed_after ?? '', limit)
  return feedAnswer(page, (items) => ({ orders: items.map(show) }))
}

function readAgreements({ capabilities, agreements, agreementFeed }: VendorState, { query }: VendorCall): VendorAnswer {
  if (!capabilities?.tripartite) return notFound('GET /tripartite-agreements (the capability tripartite is off)')
  const limit = limitOf(query)
  if (typeof limit !== 'number') return limit
  if (query.changed_after === undefined) return unprocessable('changed_after: expected a cursor, empty at first')
  const page = agreementFeed.read([...agreements.values()], (one) => one.number, query.changed_after, limit)
  return feedAnswer(page, (items) => ({ agreements: items.map(showAgreement) }))
}

function cancelOrder({ orders }: VendorState, { params, body }: VendorCall): VendorAnswer {
  const parsed = cancelBody.safeParse(body)
  if (!parsed.success) return unprocessable(readable(complaints(parsed.error, body)))
  const order = orders.find(params.id ?? '')
  if (!order) return notFound(`order ${params.id}`)
  const { orderId } = order
  if (order.status === 'completed') {
    return { status: 409, body: { error: { message: `order ${orderId} is completed` } }, orderId }
  }
  orders.cancelByService(order, parsed.data.reason ?? undefined)
  return { status: 200, body: { order_id: orderId, status: 'canceled' }, orderId, applied: true }
}

function keyProblem(key: string | undefined, expected: string): VendorAnswer | undefined {
  if (key === expected) return undefined
  return unprocessable(`Idempotency-Key: expected ${expected}; it came as ${key ?? 'nothing'}`)
}

function limitOf(query: Record<string, string>): number | VendorAnswer {
  const limit = Number(query.limit ?? 100)
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1000) return limit
  return unprocessable(`limit: expected 1 to 1000; it came as ${query.limit}`)
}

function feedAnswer<T>(page: FeedPage<T>, show: (items: T[]) => Record<string, unknown>): VendorAnswer {
  if (page.kind === 'gone')
    return { status: 410, body: { error: { message: 'this cursor is forgotten; start over with an empty one' } } }
  if (page.kind === 'malformed') return unprocessable(page.reason)
  return ok({ ...show(page.items), cursor: page.cursor, has_more: page.hasMore })
}

function showAgreement({ id, tenant_key, state, modify_time }: AgreementChange) {
  return { id, tenant_key, state, modify_time }
}

function ok(body: unknown): VendorAnswer {
  return { status: 200, body }
}

function notFound(what: string): VendorAnswer {
  return { status: 404, body: { error: { message: `there is no ${what}` } } }
}

function unprocessable(message: string): VendorAnswer {
  return { status: 422, body: { error: { message } } }
}
