import { registerAccount } from '../../src/flow/accounts/register.js'
import { createInbox, eventContext } from '../../src/flow/inbox/accept.js'
import { cancelByCustomer } from '../../src/flow/orders/cancel.js'
import { payloadContext, receiveOrder } from '../../src/flow/orders/receive.js'
import { recordVendorOrder } from '../../src/flow/orders/record.js'
import { openBody, openOtherBody } from '../../src/flow/outbox/bodies.js'
import { putBehind } from '../../src/flow/outbox/put-other.js'
import { searchHashes } from '../../src/flow/personal-data/contacts.js'
import { createTokenStore } from '../../src/flow/to-feishu/tokens-store.js'
import { createOnce } from '../../src/operate/api/idempotency.js'
import type { Reply } from '../../src/operate/api/reply.js'
import { createMetrics } from '../../src/operate/metrics.js'
import { openDataKey, openJson } from '../../src/platform/crypto/data-key.js'
import type { Sealer } from '../../src/platform/crypto/sealer.js'
import type { Database } from '../../src/platform/database/database.js'
import { createLogger } from '../../src/platform/logger.js'
import { orderToPlace } from './order-to-place.js'
import { one } from './room.js'

const origin = { appId: 'cli_a', tenantKey: 'tk_a' }
const lane = (id: string) => `account:${id}`
const time = 1_767_315_600_000

export const mailOf = (id: string): string => `${id}@example.com`

/** Whatever the service seals under an encryption key or under the key of an order, by those who do, around one id. */
export async function sealAround(database: Database, sealer: Sealer, id: string): Promise<void> {
  const { pool } = database
  await database.transaction(async (sql) => {
    const customFields = { note: `field ${id}` }
    await registerAccount(sql, sealer, origin, {
      ...origin,
      accountId: id,
      accountName: 'Acme',
      usageList: [],
      customFields,
    })
    const candidate = { email: mailOf(id) }
    await receiveOrder(
      sql,
      sealer,
      origin,
      orderToPlace(id, { tenantKey: origin.tenantKey, candidate, comment: `comment ${id}` }),
    )
    await sql.query('UPDATE vendor_tasks SET attempts = 1 WHERE subject = $1', [`order:${id}`])
    await sql.query(
      `UPDATE orders SET state = 'ordered', vendor_order_id = 'V-' || $1 WHERE background_check_id = $1`,
      [id],
    )
    const stages = [{ id: 'st-1', name: `stage ${id}`, time, reports: [] }]
    await recordVendorOrder(sql, sealer, id, { orderId: `V-${id}`, status: 'in_progress', stages }, time, {
      mayRecord: async () => true,
      isLatest: true,
    })
    const body = { tripartite_agreement_id: `agreement ${id}` }
    await putBehind(sql, sealer, { ...origin, lane: lane(id), accountId: id }, [
      { content: { api: 'tripartite_agreements.delete', body } },
    ])
  })
  await write(database, sealer, id, async () => ({ status: 202, body: { answer: `answer ${id}` }, headers: {} }))
  const inbox = createInbox({ database, sealer, onAccepted: () => undefined })
  const event = { ...origin, eventId: id, type: 'a.type', createTime: '1', payload: Buffer.from(`payload ${id}`) }
  const answer = await inbox.accept(event)
  if (answer !== 'accepted') throw new Error(`expected the event to be accepted, it is ${answer}`)
  await inbox.stop()
  const tokens = createTokenStore(pool, sealer)
  await tokens.save({ appId: 'cli_a', tenantKey: id }, `token ${id}`, time)
  await tokens.saveTicket(`cli_${id}`, `ticket ${id}`, '1', time)
}

/** A write of an operator with an Idempotency-Key. */
function write(database: Database, sealer: Sealer, id: string, run: () => Promise<Reply>): Promise<Reply> {
  const key = { name: 'test', secret: '', scopes: [] }
  const request = { key, given: `key-${id}`, method: 'POST', path: '/', query: new URLSearchParams(), body: {} }
  return createOnce({ database, sealer, log: createLogger('silent'), metrics: createMetrics() })(request, run)
}

/** The customer stops the check, with a reason that waits for the vendor. */
export function cancelAround(database: Database, sealer: Sealer, id: string): Promise<unknown> {
  return database.transaction((sql) => cancelByCustomer(sql, sealer, origin, id, `reason ${id}`))
}

/** All of it, opened as those open it who work with it. `known`: the keys that a repeated write is found with. */
export async function openAround(database: Database, sealer: Sealer, id: string, known = sealer) {
  const { pool } = database
  const order = await one<{ data_key: Buffer; payload_sealed: Buffer }>(
    { pool },
    'SELECT data_key, payload_sealed FROM orders WHERE background_check_id = $1',
    [id],
  )
  const key = openDataKey(sealer, id, order.data_key)
  const sealed = async (column: string, from: string) =>
    (await one<{ sealed: Buffer }>({ pool }, `SELECT ${column} AS sealed FROM ${from}`, [id])).sealed
  const account = await sealed('custom_fields_sealed', 'accounts WHERE account_id = $1')
  const event = await sealed('payload_sealed', 'events WHERE event_id = $1')
  const stage = await sealed('body_sealed', 'deliveries WHERE background_check_id = $1')
  const other = await sealed('body_sealed', 'deliveries WHERE account_id = $1')
  const tokens = createTokenStore(pool, sealer)
  const found = await pool.query('SELECT 1 FROM order_contacts WHERE background_check_id = $1 AND hash = ANY($2)', [
    id,
    searchHashes(sealer, 'email', mailOf(id)),
  ])
  return {
    order: openJson(key, order.payload_sealed, payloadContext(id)),
    account: openJson(sealer, account, `account:${id}`),
    event: sealer.open(event, eventContext('cli_a', id)).toString(),
    stage: openBody(key, `order:${id}`, 'update_progress', stage).body,
    other: openOtherBody(sealer, lane(id), 'tripartite_agreements.delete', other).body,
    token: (await tokens.read({ appId: 'cli_a', tenantKey: id }))?.token,
    ticket: await tokens.readTicket(`cli_${id}`),
    found: found.rowCount === 1,
    answer: (await write(database, known, id, () => Promise.reject(new Error('it ran before')))).body,
  }
}

export const whatWasSealed = (id: string) => ({
  order: { candidate: { email: mailOf(id) }, comment: `comment ${id}` },
  account: { note: `field ${id}` },
  event: `payload ${id}`,
  stage: { stage_name: `stage ${id}` },
  other: { tripartite_agreement_id: `agreement ${id}` },
  token: `token ${id}`,
  ticket: `ticket ${id}`,
  found: true,
  answer: { answer: `answer ${id}` },
})
