import { sleep } from '../support/clock.js'
import { parseObject } from '../support/complaint.js'
import { type FaultAction, type FaultPlan, isLate, type Late, untilDue } from '../support/faults.js'
import { type Handled, type Incoming, jsonReply, type Reply } from '../support/http.js'
import type { Windows } from '../support/windows.js'
import type { VendorCallRecord, VendorJournal, VendorOperation } from './journal.js'
import { reportReply } from './reports.js'
import { operations, type VendorAnswer, type VendorState } from './routes.js'

export type VendorFaultMatch = { operation?: string; orderId?: string; backgroundCheckId?: string }

type Parts = { state: VendorState; journal: VendorJournal; faults: FaultPlan<VendorFaultMatch>; windows: Windows }
type Route = { operation: VendorOperation; params: { id?: string } } | { refusal: VendorAnswer }

/** Every call to the vendor passes here. */
export class VendorDoor {
  #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async handle(incoming: Incoming): Promise<Handled> {
    const { journal } = this.#parts
    const { method, path, arrivedAt: at } = incoming
    const record = journal.open({ at, method, path, query: Object.fromEntries(incoming.query) })
    const over = path.startsWith('/files/') ? undefined : this.#count(at)
    try {
      const raw = await incoming.body()
      const reply = over ?? (await this.#reply(incoming, record, raw))
      if (typeof reply === 'object') record.httpStatus = reply.status
      return { reply, done: (answered) => journal.close(record, answered) }
    } catch (error) {
      // The caller hung up in the middle of its body.
      journal.close(record, false)
      throw error
    }
  }

  #count(at: number): Reply | undefined {
    const { state, windows } = this.#parts
    const arrival = windows.arrive('vendor', state.options.rateLimits ?? [], at)
    if (!arrival.over) return undefined
    const message = `at most ${arrival.limit} calls in ${arrival.windowMs} ms`
    return jsonReply(
      429,
      { error: { message } },
      { 'retry-after': String(Math.max(1, Math.ceil(arrival.resetMs / 1000))) },
    )
  }

  async #reply(incoming: Incoming, record: VendorCallRecord, raw: Buffer): Promise<Reply> {
    const route = findRoute(incoming)
    if ('refusal' in route) return jsonReply(route.refusal.status, route.refusal.body)
    describe(record, route, incoming, raw)
    const fault = this.#parts.faults.take(matchOf(record, this.#parts.state))
    if (fault) record.fault = 'apply' in fault && fault.apply ? `${fault.kind} after applying` : fault.kind
    const { latencyMs = 0 } = this.#parts.state.options
    if (latencyMs > 0) await sleep(latencyMs)
    if (fault && isLate(fault)) await untilDue(fault)
    if (!fault || isLate(fault)) return this.#apply(route, incoming, record, raw)
    if ('apply' in fault && fault.apply) this.#apply(route, incoming, record, raw)
    return play(fault)
  }

  #apply(
    { operation, params }: Exclude<Route, { refusal: VendorAnswer }>,
    incoming: Incoming,
    record: VendorCallRecord,
    raw: Buffer,
  ): Reply {
    // Report links are public and unguessable: no key (contract §3.2).
    if (operation === 'files') return reportReply(incoming, this.#parts.state.links)
    const { state } = this.#parts
    if (incoming.headers.authorization !== `Bearer ${state.options.apiKey}`) {
      return jsonReply(401, { error: { message: 'expected the header Authorization: Bearer <VENDOR_API_KEY>' } })
    }
    const body = incoming.method === 'POST' ? readBody(incoming, raw) : { ok: true as const, value: undefined }
    if (!body.ok) return jsonReply(422, { error: { message: body.reason } })
    const call = { params, query: record.query, body: body.value, idempotencyKey: record.idempotencyKey }
    const answer = operations[operation](state, call)
    record.applied = answer.applied ?? false
    if (answer.orderId !== undefined) record.orderId = answer.orderId
    if (answer.differs) record.differs = true
    return jsonReply(answer.status, answer.body)
  }
}

function findRoute({ method, path, query }: Incoming): Route {
  const [, first, second, third, ...rest] = path.split('/')
  if (rest.length > 0) return none(method, path)
  if (first === 'files' && second && third)
    return method === 'GET' || method === 'HEAD' ? route('files') : wrongMethod(method, path)
  if (first === 'capabilities' && !second) return method === 'GET' ? route('capabilities') : wrongMethod(method, path)
  if (first === 'accounts' && !second) return method === 'POST' ? route('accounts.create') : wrongMethod(method, path)
  if (first === 'tripartite-agreements' && !second) {
    return method === 'GET' ? route('tripartite.changes') : wrongMethod(method, path)
  }
  if (first !== 'orders') return none(method, path)
  if (!second)
    return method === 'POST' ? route('orders.create') : method === 'GET' ? orderRead(query) : wrongMethod(method, path)
  const id = decodeURIComponent(second)
  if (!third) return method === 'GET' ? { operation: 'orders.get', params: { id } } : wrongMethod(method, path)
  if (third === 'cancel')
    return method === 'POST' ? { operation: 'orders.cancel', params: { id } } : wrongMethod(method, path)
  return none(method, path)
}

function orderRead(query: URLSearchParams): Route {
  if (query.has('background_check_id')) return route('orders.find')
  if (query.has('ids')) return route('orders.batch')
  if (query.has('changed_after')) return route('orders.changes')
  const message = 'GET /orders: expected background_check_id, ids or changed_after'
  return { refusal: { status: 422, body: { error: { message } } } }
}

function route(operation: VendorOperation): Route {
  return { operation, params: {} }
}

function none(method: string, path: string): Route {
  return { refusal: { status: 404, body: { error: { message: `there is no ${method} ${path}` } } } }
}

function wrongMethod(method: string, path: string): Route {
  return { refusal: { status: 405, body: { error: { message: `${path} does not take ${method}` } } } }
}

function describe(
  record: VendorCallRecord,
  { operation, params }: Exclude<Route, { refusal: VendorAnswer }>,
  { headers }: Incoming,
  raw: Buffer,
) {
  record.operation = operation
  if (params.id !== undefined) record.orderId = params.id
  const key = headers['idempotency-key']
  if (typeof key === 'string') record.idempotencyKey = key
  const parsed = parseObject(raw)
  if (parsed.ok) record.body = parsed.value
  const id =
    record.query.background_check_id ?? (record.body as Record<string, unknown> | undefined)?.background_check_id
  if (typeof id === 'string') record.backgroundCheckId = id
}

function matchOf({ operation, orderId, backgroundCheckId }: VendorCallRecord, state: VendorState): VendorFaultMatch {
  const checkId =
    backgroundCheckId ?? (orderId === undefined ? undefined : state.orders.find(orderId)?.backgroundCheckId)
  return {
    ...(operation === undefined ? {} : { operation }),
    ...(orderId === undefined ? {} : { orderId }),
    ...(checkId === undefined ? {} : { backgroundCheckId: checkId }),
  }
}

function readBody({ headers }: Incoming, raw: Buffer) {
  const type = headers['content-type'] ?? ''
  if (/^application\/json\b/i.test(type)) return parseObject(raw)
  return { ok: false as const, reason: `Content-Type: expected application/json; it came as ${type || 'nothing'}` }
}

function play(fault: Exclude<FaultAction, Late>): Reply {
  const failed = { error: { message: 'a planned fault' } }
  switch (fault.kind) {
    case 'hang':
    case 'reset':
      return fault.kind
    case 'garbage':
      return { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>upstream said {"orders":' }
    case 'server_error':
      return jsonReply(500, failed)
    case 'token_expired':
      return jsonReply(401, failed)
    case 'rate_limited':
      return jsonReply(
        429,
        failed,
        fault.resetSeconds === undefined ? {} : { 'retry-after': String(fault.resetSeconds) },
      )
    case 'answer':
      return jsonReply(
        fault.httpStatus,
        fault.msg === undefined ? failed : { error: { message: fault.msg } },
        fault.headers ?? {},
      )
  }
}
