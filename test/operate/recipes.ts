import { registerAccount } from '../../src/flow/accounts/register.js'
import { moveOrders } from '../../src/flow/archive/move.js'
import { noteFindings } from '../../src/flow/findings.js'
import { eventContext } from '../../src/flow/inbox/accept.js'
import { eraseOrder } from '../../src/flow/personal-data/erase.js'
import type { ReadReply } from '../../src/flow/to-feishu/reads.js'
import { catalogOf, field } from '../support/catalog.js'
import { delivered } from '../support/lane-room.js'
import { settleAll } from '../support/settle-due.js'
import type { Api, Reply } from './harness.js'
import { json } from './requests.js'
import * as rows from './rows.js'

/** How each answer that only one operation has comes about: rows, then the request. `id` is nobody else's. */
export type Recipe = (api: Api, id: string) => Promise<Reply>

const post = (api: Api, path: string, body?: object) => send(api, 'POST', path, body)

function send(api: Api, method: string, path: string, body?: object): Promise<Reply> {
  return api.call(method, `/v1/${path}`, body && { headers: json, body: JSON.stringify(body) })
}

const get = (api: Api, path: string) => send(api, 'GET', path)

/** What comes before a request. */
type Before = (api: Api, id: string) => Promise<unknown>

const placed: Before = (api, id) => rows.addPolledOrder(api, id, `V-${id}`)
const failed: Before = (api, id) => rows.addFailedOrder(api, id)
const erased: Before = async (api, id) => {
  await failed(api, id)
  await rows.setOrder(api, id, { data_key: null, payload_sealed: null, erased_at: new Date() })
}
const archived: Before = async (api, id) => {
  await ended(api, id)
  await api.parts.database.pool.query('DELETE FROM poll_schedule WHERE background_check_id = $1', [id])
  const who = { actor: 'tester', via: 'api' } as const
  await api.parts.database.transaction((sql) => eraseOrder(sql, id, { force: false, who }))
  await api.parts.database.transaction((sql) => moveOrders(sql, [id], new Date(Date.now() + 60_000)))
}
const ended: Before = async (api, id) => {
  await placed(api, id)
  await rows.setOrder(api, id, { state: 'canceled' })
}
const sent: Before = async (api, id) => {
  await placed(api, id)
  const result = { api: 'update_result', body: { background_check_id: id, result: 'x', result_time: '1' } } as const
  for (const each of await rows.addDeliveries(api, id, [rows.stage(id, 'st-1'), result]))
    await rows.setDelivery(api, each, { state: 'delivered', due_at: null })
}
const sentStage: Before = async (api, id) => {
  await placed(api, id)
  const [stage = ''] = await rows.addDeliveries(api, id, [rows.stage(id, 'st-1')])
  await rows.setDelivery(api, stage, { state: 'delivered', due_at: null })
}

/** The id of a delivery in these columns. */
async function delivery(api: Api, id: string, columns: Record<string, unknown>): Promise<string> {
  await placed(api, id)
  const [stage = ''] = await rows.addDeliveries(api, id, [rows.stage(id, 'st-1')])
  await rows.setDelivery(api, stage, columns)
  return stage
}
const dead = { state: 'dead', dead_class: 'ours', due_at: null, last_error: { code: 1002860, http_status: 400 } }

const bound: Before = (api, id) =>
  api.parts.database.transaction((sql) =>
    registerAccount(sql, api.parts.sealer, rows.origin, {
      accountId: id,
      tenantKey: 'tk_a',
      accountName: 'Company',
      usageList: [1],
      customFields: {},
    }),
  )
const withCatalog: Before = async (api, id) => {
  await bound(api, id)
  await send(api, 'PUT', `accounts/${id}/catalog`, catalogOf(['a'], ['x'], ['f']))
  await settleAll(api.parts, delivered)
}

/** What Feishu says to the questions of one request. */
async function asked(api: Api, reply: ReadReply): Promise<Reply> {
  const { reads } = api.parts
  const before = { ...reads }
  Object.assign(reads, { ask: async () => reply })
  try {
    return await get(api, 'tripartite-agreements?tenant_key=tk_a&id=1')
  } finally {
    Object.assign(reads, before)
  }
}
const agreement = { id: '1', application_id: '2', state: 3, create_time: '1767315600000', modify_time: 1767315600000 }
const change = { tenant_key: 'tk_a', state: 2, modify_time: 1_767_315_600_000 }

async function finding(api: Api, id: string): Promise<string> {
  const detail = { code: 1, seen: 'now' }
  const found = { kind: 'result_not_in_feishu', ...rows.origin, backgroundCheckId: id, detail } as const
  await api.parts.database.transaction((sql) => noteFindings(sql, [found]))
  const { rows: found_ } = await api.parts.database.pool.query(
    'SELECT id FROM findings WHERE background_check_id = $1',
    [id],
  )
  return String(found_[0].id)
}

/** A request after rows, whose path names the id. */
const after = (before: Before, method: string, path: string, body?: object): Recipe => {
  return async (api, id) => {
    await before(api, id)
    return send(api, method, path.replace('ID', id), body)
  }
}

export const recipes: Readonly<Record<string, Recipe>> = {
  'orders.list': after(failed, 'GET', 'orders?limit=5'),
  'orders.read': async (api, id) => {
    await delivery(api, id, dead)
    return get(api, `orders/${id}`)
  },
  'orders.poll': after(placed, 'POST', 'orders/ID/poll'),
  'orders.poll archived': after(archived, 'POST', 'orders/ID/poll'),
  'orders.poll order-not-polled': after(failed, 'POST', 'orders/ID/poll'),
  'orders.retry': after(failed, 'POST', 'orders/ID/retry'),
  'orders.retry order-not-failed': after(placed, 'POST', 'orders/ID/retry'),
  'orders.retry archived': after(archived, 'POST', 'orders/ID/retry'),
  'orders.retry erased': after(erased, 'POST', 'orders/ID/retry'),
  'orders.retry order-being-stopped': async (api, id) => {
    await failed(api, id)
    await post(api, `orders/${id}/cancel`)
    return post(api, `orders/${id}/retry`)
  },
  'orders.cancel': after(placed, 'POST', 'orders/ID/cancel', { stage_name: '已终止', reason: 'canary' }),
  'orders.cancel order-ended': after(ended, 'POST', 'orders/ID/cancel'),
  'orders.cancel archived': after(archived, 'POST', 'orders/ID/cancel'),
  'orders.cancel erased': after(erased, 'POST', 'orders/ID/cancel'),
  'orders.resend_result': after(sent, 'POST', 'orders/ID/result/resend'),
  'orders.resend_result not-resendable': after(placed, 'POST', 'orders/ID/result/resend'),
  'orders.resend_result order-ended': after(ended, 'POST', 'orders/ID/result/resend'),
  'orders.resend_result archived': after(archived, 'POST', 'orders/ID/result/resend'),
  'orders.resend_result erased': after(erased, 'POST', 'orders/ID/result/resend'),
  'orders.resend_stage': after(sentStage, 'POST', 'orders/ID/stages/st-1/resend'),
  'orders.resend_stage not-resendable': after(sent, 'POST', 'orders/ID/stages/st-1/resend'),
  'orders.resend_stage order-ended': after(ended, 'POST', 'orders/ID/stages/st-1/resend'),
  'orders.resend_stage archived': after(archived, 'POST', 'orders/ID/stages/st-1/resend'),
  'orders.resend_stage erased': after(erased, 'POST', 'orders/ID/stages/st-1/resend'),
  'orders.search': after(placed, 'POST', 'orders/search?limit=2', { email: 'canary@example.com' }),
  'orders.export': async (api, id) => {
    await sent(api, id)
    const payload = api.parts.sealer.seal(Buffer.from('{"event":{}}'), eventContext('cli_a', id))
    await rows.addEvent(api, { event_id: id, background_check_id: id, payload_sealed: payload })
    return get(api, `orders/${id}/personal-data`)
  },
  'orders.export erased': after(erased, 'GET', 'orders/ID/personal-data'),
  'orders.erase': after(ended, 'DELETE', 'orders/ID/personal-data'),
  'orders.erase order-open': after(placed, 'DELETE', 'orders/ID/personal-data'),
  'vendor_orders.changed': after(placed, 'POST', 'vendor/orders/V-ID/changed'),
  'deliveries.list': async (api, id) => {
    await delivery(api, id, { attempts: 0 })
    await rows.addHold(api, 'tenant', 'tk_a')
    return get(api, 'deliveries?limit=5')
  },
  'deliveries.read': async (api, id) =>
    get(api, `deliveries/${await delivery(api, id, { state: 'delivered', settled_at: new Date() })}?reveal=true`),
  'deliveries.retry': async (api, id) => post(api, `deliveries/${await delivery(api, id, dead)}/retry`),
  'deliveries.retry delivery-not-revivable': async (api, id) =>
    post(api, `deliveries/${await delivery(api, id, { attempts: 0 })}/retry`),
  'deliveries.retry erased': async (api, id) => {
    const its = await delivery(api, id, dead)
    await rows.setOrder(api, id, { data_key: null, payload_sealed: null, erased_at: new Date() })
    return post(api, `deliveries/${its}/retry`)
  },
  'deliveries.retry_many': async (api, id) => {
    await delivery(api, id, dead)
    return post(api, 'deliveries/retry', { filter: { background_check_id: id } })
  },
  'events.list': async (api, id) => {
    await rows.addEvent(api, { event_id: id })
    return get(api, 'events?limit=5')
  },
  'events.retry': async (api, id) => post(api, `events/${await rows.addEvent(api, { event_id: id })}/retry`),
  'events.retry event-not-failed': async (api, id) =>
    post(api, `events/${await rows.addEvent(api, { event_id: id, state: 'done' })}/retry`),
  'events.retry erased': async (api, id) =>
    post(api, `events/${await rows.addEvent(api, { event_id: id, payload_sealed: null })}/retry`),
  'accounts.list': after(bound, 'GET', 'accounts?limit=5'),
  'accounts.read': after(withCatalog, 'GET', 'accounts/ID'),
  'accounts.put': after(bound, 'PUT', 'accounts/ID', { tenant_key: 'tk_a', customer_id: 'C-9' }),
  'accounts.put account-elsewhere': after(bound, 'PUT', 'accounts/ID', { tenant_key: 'tk_b' }),
  'accounts.bind': after(bound, 'POST', 'accounts/ID/bind'),
  'accounts.put_catalog': after(bound, 'PUT', 'accounts/ID/catalog', catalogOf(['a'], ['x'], ['f'])),
  'accounts.put_catalog catalog-irreversible': after(withCatalog, 'PUT', 'accounts/ID/catalog', catalogOf(['b'])),
  'accounts.put_catalog catalog-refused': after(bound, 'PUT', 'accounts/ID/catalog', {
    packages: [{ id: 'x'.repeat(37), name: '' }],
  }),
  'accounts.relabel_fields': after(withCatalog, 'PATCH', 'accounts/ID/custom-fields', {
    custom_field_list: [field('f', { name: { en_us: 'F' } })],
  }),
  'accounts.relabel_fields catalog-refused': after(withCatalog, 'PATCH', 'accounts/ID/custom-fields', {
    custom_field_list: [],
  }),
  'agreements.read': (api) => asked(api, { kind: 'answer', httpStatus: 200, code: 0, data: { items: [agreement] } }),
  'agreements.read feishu-refused': (api) => asked(api, { kind: 'answer', httpStatus: 400, code: 1002823 }),
  'agreements.read feishu-unavailable': (api) => asked(api, { kind: 'no_slot', retryInMs: 10 }),
  'agreements.create': (api, id) =>
    post(api, 'tripartite-agreements', { tenant_key: 'tk_a', application_id: id, state: 1 }),
  'agreements.create agreement-being-created': async (api, id) => {
    await post(api, 'tripartite-agreements', { tenant_key: 'tk_a', application_id: id, state: 1 })
    return post(api, 'tripartite-agreements', { tenant_key: 'tk_a', application_id: id, state: 2 })
  },
  'agreements.change': (api, id) => send(api, 'PUT', `tripartite-agreements/${id}`, change),
  'agreements.change agreement-changed-later': async (api, id) => {
    await send(api, 'PUT', `tripartite-agreements/${id}`, change)
    return send(api, 'PUT', `tripartite-agreements/${id}`, { ...change, modify_time: change.modify_time - 1 })
  },
  'agreements.change agreement-deleted': async (api, id) => {
    await send(api, 'DELETE', `tripartite-agreements/${id}?tenant_key=tk_a`)
    return send(api, 'PUT', `tripartite-agreements/${id}`, change)
  },
  'agreements.delete': (api, id) => send(api, 'DELETE', `tripartite-agreements/${id}?tenant_key=tk_a`),
  'holds.list': async (api, id) => {
    await rows.addHold(api, 'method', `tk_${id}`, 'cancel')
    return get(api, 'holds?limit=5')
  },
  'holds.release': async (api, id) =>
    post(api, `holds/${await rows.addHold(api, 'method', `tk_${id}`, 'cancel')}/release`),
  'holds.release hold-released': async (api, id) => {
    const hold = await rows.addHold(api, 'method', `tk_${id}`, 'cancel')
    await post(api, `holds/${hold}/release`)
    return post(api, `holds/${hold}/release`)
  },
  'findings.list': async (api, id) => {
    await finding(api, id)
    return get(api, 'findings?limit=5')
  },
  'findings.dismiss': async (api, id) => post(api, `findings/${await finding(api, id)}/dismiss`),
  'findings.dismiss finding-not-open': async (api, id) => {
    const its = await finding(api, id)
    await post(api, `findings/${its}/dismiss`)
    return post(api, `findings/${its}/dismiss`)
  },
  'sweeps.list': async (api, id) => {
    await api.parts.database.pool.query(
      `INSERT INTO sweeps (app_id, tenant_key, permission, reason, asked_at, counts, finished_at, swept_until, error)
       VALUES ('cli_a', $1, 'unreadable', 'why', now(), '{"orders": 5}', now(), now(), 'what')`,
      [id],
    )
    return get(api, 'sweeps?limit=5')
  },
  'sweeps.run': (api) => post(api, 'sweeps/run'),
  'quotas.read': async (api, id) => {
    await api.parts.database.pool.query(
      `INSERT INTO call_minutes (minute, app_id, tenant_key, api, calls, delivered, limited)
       VALUES (date_trunc('minute', now() - interval '1 minute'), 'cli_a', $1, 'cancel', 3, 2, 1)`,
      [id],
    )
    return get(api, `quotas?tenant_key=${id}`)
  },
  'audit.list': async (api, id) => {
    await placed(api, id)
    await post(api, `orders/${id}/poll`)
    return get(api, `audit?subject=order:${id}`)
  },
}
