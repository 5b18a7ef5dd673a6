import { laneOfOrder, type OrderBody } from '../../src/flow/map.js'
import { cancelByCustomer } from '../../src/flow/orders/cancel.js'
import { keyOfOrder } from '../../src/flow/orders/keys.js'
import { lockOrder, receiveOrder } from '../../src/flow/orders/receive.js'
import { lockLane } from '../../src/flow/outbox/lanes.js'
import { putWaiting } from '../../src/flow/outbox/put.js'
import { orderToPlace } from '../support/order-to-place.js'
import type { Api } from './harness.js'

export const origin = { appId: 'cli_a', tenantKey: 'tk_a' }

/** What no answer and no log may hold of the rows below. */
export const personal = /canary|13800138000|sealed|data_key/i

export function addOrder({ parts: { database, sealer } }: Api, id: string, tenantKey = origin.tenantKey) {
  return database.transaction((sql) =>
    receiveOrder(
      sql,
      sealer,
      { ...origin, tenantKey },
      orderToPlace(id, {
        tenantKey,
        packageId: '7002',
        candidate: {
          name: 'Canary Candidate',
          email: 'canary@example.com',
          mobile: { code: '86', number: '13800138000' },
        },
        customFields: { field: 'canary-field' },
        comment: 'canary-comment',
      }),
    ),
  )
}

/** Sets columns of an order by name. */
export async function setOrder({ parts }: Api, id: string, columns: Record<string, unknown>): Promise<void> {
  const names = Object.keys(columns).map((name, index) => `${name} = $${index + 2}`)
  await parts.database.pool.query(`UPDATE orders SET ${names.join(', ')} WHERE background_check_id = $1`, [
    id,
    ...Object.values(columns),
  ])
}

export const failure = {
  class: 'vendor',
  message: 'the vendor refused the order',
  action: 'mend it, then place it again',
}

/** An order whose placing failed: as place.ts leaves it. */
export async function addFailedOrder(api: Api, id: string): Promise<void> {
  await addOrder(api, id)
  await setOrder(api, id, { state: 'failed', failure })
  await api.parts.database.pool.query('DELETE FROM vendor_tasks WHERE subject = $1', [`order:${id}`])
}

/** An order that the vendor has, under this number; polled an hour from now. */
export async function addPolledOrder(api: Api, id: string, vendorOrderId: string): Promise<void> {
  await addOrder(api, id)
  await setOrder(api, id, { state: 'ordered', vendor_order_id: vendorOrderId })
  await api.parts.database.pool.query(
    `INSERT INTO poll_schedule (background_check_id, tenant_key, due_at, interval_ms)
     VALUES ($1, 'tk_a', now() + interval '1 hour', 1000)`,
    [id],
  )
}

export function cancelOrder({ parts: { database, sealer } }: Api, id: string) {
  return database.transaction((sql) => cancelByCustomer(sql, sealer, origin, id, 'canary-comment'))
}

/** Lays deliveries into the lane of an order and answers their ids. */
export async function addDeliveries({ parts }: Api, id: string, contents: OrderBody[]): Promise<string[]> {
  await parts.database.transaction(async (sql) => {
    const state = await lockLane(sql, laneOfOrder(id))
    const order = await lockOrder(sql, id)
    if (order === null) throw new Error(`no order ${id}`)
    const key = keyOfOrder(parts.sealer, id, order.data_key)
    const lane = { backgroundCheckId: id, appId: order.app_id, tenantKey: order.tenant_key, key, state }
    const waiting = contents.map((content) => ({ content }))
    await putWaiting(sql, lane, waiting, Date.UTC(2026, 0, 2, 3, 4, 5, 678))
  })
  const found = await parts.database.pool.query('SELECT id FROM deliveries WHERE lane = $1 ORDER BY seq', [
    laneOfOrder(id),
  ])
  return found.rows.map((row) => row.id)
}

export function stage(id: string, stageId: string): OrderBody {
  return {
    api: 'update_progress',
    body: {
      background_check_id: id,
      stage_id: stageId,
      stage_name: 'canary-stage',
      stage_time: '1767315600000',
      result: 'canary-result',
      report_file_list: [{ report_name: 'canary.pdf', report_url: 'https://canary.example.com/1', report_url_type: 1 }],
    },
  }
}

export async function setDelivery({ parts }: Api, id: string, columns: Record<string, unknown>): Promise<void> {
  const names = Object.keys(columns).map((name, index) => `${name} = $${index + 2}`)
  await parts.database.pool.query(`UPDATE deliveries SET ${names.join(', ')} WHERE id = $1`, [
    id,
    ...Object.values(columns),
  ])
}

export async function addEvent({ parts }: Api, columns: Record<string, unknown> = {}): Promise<string> {
  const row = {
    app_id: 'cli_a',
    event_id: 'ev-1',
    type: 'hire.eco_account.created_v1',
    tenant_key: 'tk_a',
    create_time: '1767315600000',
    state: 'failed',
    due_at: null,
    attempts: 10,
    error: 'the effect failed 10 times; the log tells why',
    payload_sealed: parts.sealer.seal(Buffer.from('{"event":{"account_name":"canary-field"}}'), 'event'),
    ...columns,
  }
  const names = Object.keys(row)
  const found = await parts.database.pool.query(
    `INSERT INTO events (${names.join(', ')}) VALUES (${names.map((_, index) => `$${index + 1}`).join(', ')}) RETURNING id`,
    Object.values(row),
  )
  return found.rows[0].id
}

export async function addHold({ parts }: Api, scope: string, tenantKey = '', api = ''): Promise<string> {
  const found = await parts.database.pool.query(
    `INSERT INTO holds (scope, app_id, tenant_key, api, reason, code)
     VALUES ($1, 'cli_a', $2, $3, 'the app is not installed', 99991662) RETURNING id`,
    [scope, tenantKey, api],
  )
  return found.rows[0].id
}
