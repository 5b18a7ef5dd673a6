import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pages } from '../../src/operate/console/pages.js'
import { type Api, startOperators } from './harness.js'
import { addDeliveries, addEvent, addHold, addPolledOrder, setDelivery, setOrder, stage } from './rows.js'
import { askOf, enter } from './visitor.js'

let api: Api
const order = '7400000000000000701'
const account = '6900000000000000701'
const hostile = `"'><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}\${7*7}`

beforeAll(async () => {
  api = await startOperators({ gauges: true })
  await addPolledOrder(api, order, 'V-701')
})

afterAll(() => api.stop())

const everyPage = pages.map(({ path }) => `/console${path === '/' ? '' : path}`)

describe('foreign text', () => {
  it('is text on every page, whichever field it stands in', async () => {
    const { cookie } = await enter(api)
    await fillWithHostile()
    const [delivery = ''] = await addDeliveries(api, order, [stage(order, 'st-1')])
    await setDelivery(api, delivery, {
      state: 'dead',
      dead_class: 'ours',
      due_at: null,
      settled_at: new Date(),
      last_error: JSON.stringify({ code: 1, http_status: 400, log_id: hostile, class: 'ours', reason: hostile }),
    })
    const bare = encodeURIComponent(hostile)
    for (const path of [
      ...everyPage.filter((each) => !each.includes(':id')),
      `/console/orders/${order}`,
      `/console/accounts/${account}`,
      `/console/deliveries/${delivery}`,
      `/console/orders/${bare}`,
      `/console/orders?q=${bare}&tenant_key=${bare}`,
      `/console/orders?${bare}=1`,
      `/console/orders?state=${bare}`,
      `/console/quotas?tenant_key=${bare}`,
      `/console/audit?subject=${bare}&done=${bare}`,
      `/console/${bare}`,
    ]) {
      const text = await (await askOf(api, 'GET', path, { cookie })).text()
      expect(text, path).not.toMatch(
        /<img|<script(?! src="\/console\/assets\/)|\sonerror=(?!alert\(1\)&gt;|alert\(1\)>)/,
      )
    }
    const shown = await (await askOf(api, 'GET', `/console/accounts/${account}`, { cookie })).text()
    expect(shown.match(/&lt;img src=x/g)?.length).toBeGreaterThanOrEqual(4)
  })
})

/** Every field of the database that comes from Feishu, the vendor or a caller. */
async function fillWithHostile(): Promise<void> {
  const { pool } = api.parts.database
  const failure = { class: 'vendor', message: hostile, action: hostile }
  await setOrder(api, order, {
    vendor_order_id: hostile,
    package_id: hostile,
    attention: [hostile],
    failure: JSON.stringify(failure),
    account_id: hostile,
  })
  await pool.query(`INSERT INTO timeline (background_check_id, kind, detail) VALUES ($1, 'placed', $2)`, [
    order,
    JSON.stringify({ [hostile]: hostile, delivery_id: hostile }),
  ])
  await pool.query(
    `INSERT INTO accounts (account_id, app_id, tenant_key, name, usage_list, state, customer_id, failure)
     VALUES ($1, 'cli_a', $2, $2, '{}', 'failed', $2, $3), ($2, $2, $2, $2, '{}', 'failed', $2, $3)`,
    [account, hostile, JSON.stringify(failure)],
  )
  const item = JSON.stringify({ packages: [{ id: hostile, name: hostile }], additional_items: [], custom_fields: [] })
  await pool.query(`INSERT INTO catalogs (account_id, wanted, state, failure) VALUES ($1, $2, 'failed', $3)`, [
    account,
    item,
    JSON.stringify(failure),
  ])
  await addEvent(api, { event_id: hostile, type: hostile, tenant_key: hostile, error: hostile, app_id: hostile })
  await addHold(api, 'tenant', hostile, hostile)
  await pool.query(
    `INSERT INTO findings (kind, app_id, tenant_key, background_check_id, vendor_order_id, detail)
     VALUES ('missing_in_feishu', $1, $1, $1, $1, $2)`,
    [hostile, JSON.stringify({ [hostile]: hostile })],
  )
  await pool.query(`INSERT INTO sweeps (app_id, tenant_key, permission, reason) VALUES ($1, $1, 'unreadable', $1)`, [
    hostile,
  ])
  await pool.query(
    `INSERT INTO audit (actor, via, action, subject, outcome, before, address) VALUES ($1, 'api', $1, $1, 'done', $2, $1)`,
    [hostile, JSON.stringify({ [hostile]: hostile })],
  )
  await pool.query(
    `INSERT INTO call_minutes (minute, app_id, tenant_key, api, calls) VALUES (date_trunc('minute', now()), $1, $1, $1, 5)`,
    [hostile],
  )
}
