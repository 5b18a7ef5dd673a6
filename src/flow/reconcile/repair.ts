import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { type FindingToNote, noteRepaired, wasSettledBefore } from '../findings.js'
import { cancelByCustomer } from '../orders/cancel.js'
import { markApproved, markHeld } from '../outbox/approval.js'
import type { Keepers } from '../outbox/keepers.js'
import { reviveDelivery } from '../outbox/revive.js'
import { stateOf } from '../outbox/state-of.js'
import { addToTimeline } from '../timeline.js'
import type { Comparison, Difference } from './compare.js'

export interface RepairOptions {
  sealer: Sealer
  keepers: Keepers
}

/** The order that is being compared; the caller holds its lane and its row. */
export interface HeldOrder {
  appId: string
  tenantKey: string
  backgroundCheckId: string
}

/**
 * Feishu has what an attempt of unknown outcome was to bring: it is delivered, and the order is what that makes of it. A
 * result that Feishu does not show as completed is held.
 */
export async function confirmDeliveries(sql: Sql, order: HeldOrder, ids: readonly string[], isCompleted: boolean) {
  const { backgroundCheckId } = order
  for (const id of ids) {
    const found = await sql.query<{ api: string; was: string }>(
      `UPDATE deliveries d SET state = 'delivered', confirmed = true, dead_class = NULL, last_error = NULL
       FROM (SELECT id, state AS was FROM deliveries WHERE id = $1 FOR UPDATE) o
       WHERE d.id = o.id AND (d.state = 'delivered' AND NOT d.confirmed OR d.state = 'dead' AND d.dead_class = 'unconfirmed')
       RETURNING d.api, o.was`,
      [id],
    )
    const row = found.rows[0]
    if (row === undefined) continue
    await addToTimeline(sql, [
      { backgroundCheckId, kind: 'found_in_feishu', detail: { delivery_id: id, api: row.api } },
    ])
    if (row.was === 'dead') await settleFound(sql, backgroundCheckId, row.api, isCompleted)
  }
}

/** What was dead until now and closes its order. */
async function settleFound(sql: Sql, id: string, api: string, isCompleted: boolean): Promise<void> {
  const ends = { update_result: isCompleted ? 'completed' : 'reported', cancel: 'canceled' } as const
  if (api === 'update_result' || api === 'cancel') {
    await sql.query(
      `UPDATE orders SET state = $2, updated_at = now() WHERE background_check_id = $1 AND state NOT IN ('canceled', 'completed')`,
      [id, ends[api]],
    )
    await sql.query('DELETE FROM poll_schedule WHERE background_check_id = $1', [id])
  }
  await sql.query(
    `UPDATE orders SET attention = array_remove(attention, 'delivery_dead'), updated_at = now() WHERE background_check_id = $1
       AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.background_check_id = $1 AND ${stateOf('d')} = 'dead')`,
    [id],
  )
}

/** Follows what Feishu says that became of the check. True when the vendor has to be told. */
export async function turnOrder(
  sql: Sql,
  { sealer }: RepairOptions,
  order: HeldOrder,
  turn: Exclude<Comparison['turn'], null>,
): Promise<boolean> {
  const { backgroundCheckId } = order
  if (turn === 'approved') await markApproved(sql, backgroundCheckId)
  if (turn === 'held') await markHeld(sql, backgroundCheckId)
  if (turn !== 'canceled') return false
  await addToTimeline(sql, [{ backgroundCheckId, kind: 'terminated_in_feishu' }])
  await cancelByCustomer(sql, sealer, order, backgroundCheckId, '')
  await noteRepaired(sql, { ...order, kind: 'terminated_in_feishu' })
  return true
}

/**
 * Sends again what Feishu lacks, once: what it then lacks still is for a person to judge. `null`: it cannot be sent
 * again, and nothing was changed.
 */
export async function sendAgain(
  sql: Sql,
  { sealer, keepers }: RepairOptions,
  order: HeldOrder,
  difference: Difference,
): Promise<number[] | null> {
  const { backgroundCheckId } = order
  const finding: FindingToNote = { ...order, ...difference }
  const id = difference.subject ?? ''
  if (await wasSettledBefore(sql, finding)) return null
  if (await isEndInDoubt(sql, backgroundCheckId, id)) return null
  await sql.query('SAVEPOINT send_again')
  await unsettle(sql, backgroundCheckId, id)
  const revived = await reviveDelivery(sql, sealer, keepers, id)
  if (revived.kind !== 'revived') {
    await sql.query('ROLLBACK TO SAVEPOINT send_again')
    return null
  }
  await noteRepaired(sql, finding)
  await addToTimeline(sql, [{ backgroundCheckId, kind: 'missing_in_feishu', detail: { delivery_id: id } }])
  return revived.buckets
}

/** The vendor says something else by now than this result or cancel: whether it is still wanted is for a person to judge. */
async function isEndInDoubt(sql: Sql, backgroundCheckId: string, id: string): Promise<boolean> {
  const found = await sql.query(
    `SELECT 1 FROM orders o JOIN deliveries d ON d.background_check_id = o.background_check_id
     WHERE o.background_check_id = $1 AND d.id = $2 AND d.api IN ('update_result', 'cancel')
       AND o.attention @> ARRAY['changed_after_sent']`,
    [backgroundCheckId, id],
  )
  return found.rowCount === 1
}

/**
 * What was taken as delivered is dead after all, so that it can be revived. An order that it completed waits for it
 * again, and is polled again, since report links are the vendor's newest.
 */
async function unsettle(sql: Sql, backgroundCheckId: string, id: string): Promise<void> {
  await sql.query(
    `UPDATE deliveries SET state = 'dead', dead_class = 'unconfirmed' WHERE id = $1 AND state = 'delivered' AND NOT confirmed`,
    [id],
  )
  const reopened = await sql.query<{ tenant_key: string }>(
    `UPDATE orders SET state = 'reported', updated_at = now() WHERE background_check_id = $1 AND state = 'completed'
     RETURNING tenant_key`,
    [backgroundCheckId],
  )
  const tenantKey = reopened.rows[0]?.tenant_key
  if (tenantKey === undefined) return
  await sql.query(
    `INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms) VALUES ($1, $2, 0) ON CONFLICT DO NOTHING`,
    [backgroundCheckId, tenantKey],
  )
}
