import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { routes } from '../../src/operate/api/routes.js'
import { type Api, itemsOf, type Reply, startOperators } from './harness.js'
import { json } from './requests.js'
import * as rows from './rows.js'

let api: Api
beforeAll(async () => {
  api = await startOperators()
})
afterAll(() => api.stop())

const query = async (text: string, values: unknown[] = []) => (await api.parts.database.pool.query(text, values)).rows

interface List {
  /** Which member names a row. */
  id: string
  table: string
  add: (index: number) => Promise<unknown>
  /** What changes in every row between two pages. */
  change: string
}

const orders: List = {
  id: 'background_check_id',
  table: 'orders',
  add: (index) => rows.addOrder(api, String(7_000_000 + ((index * 7919) % 1000))),
  change: `state = 'failed', attention = '{failed}', updated_at = now()`,
}

/** How rows of each list come about, and what may change in them. */
const lists: Readonly<Record<string, List>> = {
  'orders.list': orders,
  'orders.search': orders,
  'deliveries.list': {
    id: 'id',
    table: 'deliveries',
    add: async (index) => {
      const id = String(7_100_000 + index)
      await rows.addOrder(api, id)
      await rows.addDeliveries(api, id, [rows.stage(id, 'st-1')])
    },
    change: `state = 'dead', dead_class = 'ours', settled_at = now(), due_at = NULL`,
  },
  'events.list': {
    id: 'id',
    table: 'events',
    add: (index) => rows.addEvent(api, { event_id: `ev-${index}` }),
    change: `state = 'done', settled_at = now()`,
  },
  'accounts.list': {
    id: 'account_id',
    table: 'accounts',
    add: (index) =>
      query(
        `INSERT INTO accounts (account_id, app_id, tenant_key, name, usage_list, state)
         VALUES ($1, 'cli_a', 'tk_a', '', '{}', 'unconfirmed')`,
        [String(7_200_000 + ((index * 7919) % 1000))],
      ),
    change: `state = 'confirmed', updated_at = now()`,
  },
  'holds.list': {
    id: 'id',
    table: 'holds',
    add: (index) => rows.addHold(api, 'tenant', `tk_${index}`),
    change: `reason = 'another'`,
  },
  'findings.list': {
    id: 'id',
    table: 'findings',
    add: (index) =>
      query(
        `INSERT INTO findings (kind, app_id, tenant_key, background_check_id) VALUES ('open_in_feishu', 'cli_a', 'tk_a', $1)`,
        [String(index)],
      ),
    change: `state = 'repaired', settled_at = now(), seen_at = now()`,
  },
  'sweeps.list': {
    id: 'tenant_key',
    table: 'sweeps',
    add: (index) => query(`INSERT INTO sweeps (app_id, tenant_key) VALUES ('cli_a', $1)`, [`tk_${index}`]),
    change: `due_at = now() + interval '1 hour', permission = 'readable', finished_at = now()`,
  },
  'audit.list': {
    id: 'id',
    table: 'audit',
    add: () =>
      query(`INSERT INTO audit (actor, via, action, subject, outcome) VALUES ('a', 'cli', 'x.y', 'x:1', 'done')`),
    change: 'at = at',
  },
}

const paged = routes.filter((route) => 'cursor' in route.query.shape)

it('each list of the interface is tried', () => {
  expect(paged.map(({ id }) => id).toSorted()).toEqual(Object.keys(lists).toSorted())
})

describe.each(paged.map((route) => [route.id, route] as const))('%s', (name, { method, path }) => {
  it('gives each row once that was there at first, whatever is added and changed between its pages', async () => {
    const list = lists[name]
    if (list === undefined) throw new Error(`${name} is not tried`)
    await query(
      'TRUNCATE orders, order_contacts, vendor_tasks, timeline, deliveries, lanes, events, accounts, holds, findings, sweeps, audit',
    )
    for (let index = 0; index < 7; index += 1) await list.add(index)
    // Several of one moment: only the id tells them apart.
    if (list.table === 'orders' || list.table === 'accounts')
      await query(`UPDATE ${list.table} SET created_at = date_trunc('hour', now())`)
    const column = list.id
    const before = (await query(`SELECT ${column}::text AS id FROM ${list.table}`)).map((row) => row.id)

    const seen: unknown[] = []
    let cursor = ''
    for (let page = 0; page < 10; page += 1) {
      const reply = await read(method, `${path}?limit=2${cursor}`)
      seen.push(...itemsOf(reply).map((item) => item[list.id]))
      const next = reply.body['next_cursor']
      if (typeof next !== 'string') break
      cursor = `&cursor=${next}`
      await list.add(100 + page)
      await query(`UPDATE ${list.table} SET ${list.change}`)
    }
    expect(seen.filter((id) => before.includes(id)).toSorted()).toEqual(before.toSorted())
    expect(new Set(seen).size).toBe(seen.length)
  })
})

function read(method: string, path: string): Promise<Reply> {
  const body = { headers: json, body: JSON.stringify({ email: 'canary@example.com' }) }
  return api.call(method, path, method === 'POST' ? body : {})
}
