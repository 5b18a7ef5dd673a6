import type { Api } from '../operate/harness.js'
import {
  addDeliveries,
  addEvent,
  addFailedOrder,
  addHold,
  addOrder,
  addPolledOrder,
  setDelivery,
  setOrder,
  stage,
} from '../operate/rows.js'

export const ids = {
  polled: '7400000000000000301',
  failed: '7400000000000000302',
  stuck: '7400000000000000303',
  done: '7400000000000000304',
}

/** Rows of every kind that the console shows. */
export async function fillWorld(api: Api): Promise<{ dead: string }> {
  await addPolledOrder(api, ids.polled, 'V-301')
  await addFailedOrder(api, ids.failed)
  await addOrder(api, ids.stuck)
  await setOrder(api, ids.stuck, { state: 'in_progress', vendor_order_id: 'V-303', attention: ['delivery_dead'] })
  const [dead = '', waiting = ''] = await addDeliveries(api, ids.stuck, [
    stage(ids.stuck, 'st-1'),
    stage(ids.stuck, 'st-2'),
  ])
  const lastError = { code: 1002857, http_status: 400, log_id: 'log-1', class: 'customer', reason: 'refused' }
  await setDelivery(api, dead, {
    state: 'dead',
    dead_class: 'customer',
    due_at: null,
    settled_at: new Date(),
    attempts: 3,
    last_error: JSON.stringify(lastError),
  })
  await setDelivery(api, waiting, { due_at: new Date(Date.now() + 3_600_000) })
  await addOrder(api, ids.done)
  await setOrder(api, ids.done, { state: 'completed', vendor_order_id: 'V-304' })
  await addEvent(api)
  await addHold(api, 'tenant', 'tk_a')
  const { pool } = api.parts.database
  await pool.query(
    `INSERT INTO accounts (account_id, app_id, tenant_key, name, usage_list, state, customer_id)
     VALUES ('6900000000000000101', 'cli_a', 'tk_a', '示例科技', '{1}', 'confirmed', 'C-1') ON CONFLICT (account_id) DO NOTHING`,
  )
  await addCatalog(api, '6900000000000000101')
  await pool.query(
    `INSERT INTO findings (kind, app_id, tenant_key, background_check_id, detail) VALUES ('open_in_feishu', 'cli_a', 'tk_a', '7400000000000000304', '{"order_status":2}')`,
  )
  await pool.query(`INSERT INTO sweeps (app_id, tenant_key, permission) VALUES ('cli_a', 'tk_a', 'readable')`)
  await pool.query(
    `INSERT INTO call_minutes (minute, app_id, tenant_key, api, calls, delivered, limited)
     SELECT date_trunc('minute', now()) - n * interval '1 minute', 'cli_a', 'tk_a', 'update_progress', 400 + 100 * (n % 7), 380, n % 5
     FROM generate_series(0, 180) n
     UNION ALL
     SELECT date_trunc('minute', now()) - n * interval '1 minute', 'cli_a', '1736a4b5c6d7e8f9', 'update_result', n % 9, n % 9, 0
     FROM generate_series(0, 50) n`,
  )
  await pool.query(
    `INSERT INTO timeline (background_check_id, at, kind, detail)
     SELECT $1, now() + n * interval '7 minutes', kind, detail::jsonb FROM unnest($2::text[], $3::text[])
       WITH ORDINALITY AS t (kind, detail, n)`,
    [
      ids.stuck,
      ['placed', 'stage_seen', 'dead', 'revived', 'delivered', 'place_refused'],
      [
        '{"vendor_order_id":"V-303"}',
        '{"stage_id":"st-1"}',
        `{"delivery_id":"${dead}","api":"update_progress","class":"customer"}`,
        `{"delivery_id":"${dead}"}`,
        `{"delivery_id":"${waiting}","api":"update_progress","confirmed":true}`,
        '{}',
      ],
    ],
  )
  return { dead }
}

/** A catalog whose way to what is wanted has a call that cannot be undone; the account is there. */
export async function addCatalog(api: Api, accountId: string): Promise<void> {
  const catalog = (id: string, name: string) =>
    JSON.stringify({ packages: [{ id, name }], additional_items: [], custom_fields: [] })
  await api.parts.database.pool.query(
    `INSERT INTO catalogs (account_id, wanted, held, state, wanted_by) VALUES ($1, $2, $3, 'waiting', 'vendor')`,
    [accountId, catalog('p2', '标准套餐'), catalog('p1', '旧套餐')],
  )
}
