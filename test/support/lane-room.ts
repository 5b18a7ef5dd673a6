import { cancelByCustomer } from '../../src/flow/orders/cancel.js'
import { receiveOrder } from '../../src/flow/orders/receive.js'
import { recordVendorOrder } from '../../src/flow/orders/record.js'
import type { Claim } from '../../src/flow/outbox/claim.js'
import type { Settled } from '../../src/flow/outbox/settlement.js'
import type { VendorOrder } from '../../src/flow/vendor/adapter.js'
import type { Database } from '../../src/platform/database/database.js'
import { orderToPlace } from './order-to-place.js'
import { freshId, type Ground } from './room.js'
import { claimDue, settleClaims } from './settle-due.js'

export const origin = { appId: 'cli_lane', tenantKey: 'tk_lane' }

export interface DeliveryRow {
  id: string
  lane: string
  seq: number
  api: string
  state: string
  due_at: Date | null
  fence: number
  attempts: number
  ambiguous: boolean
  stage_id: string | null
  stage_time: string | null
  body_sealed: Buffer
  last_error: { reason?: string } | null
}

/** The verbs that work on lanes, on one database. */
export function lanesOn(ground: Ground, database: Database = ground.database) {
  const { sealer } = ground
  /** One at a time: a statement that locked several would lock them in an order of its own, and settlements do in theirs. */
  const makeDue = async (where: string) => {
    const { rows } = await database.pool.query<{ id: string }>(`SELECT id FROM deliveries WHERE ${where}`)
    for (const { id } of rows) {
      await database.pool.query(`UPDATE deliveries SET due_at = now() WHERE id = $1 AND ${where}`, [id])
    }
  }
  return {
    async receive(id = freshId()): Promise<string> {
      const order = orderToPlace(id, { accountId: '1', tenantKey: origin.tenantKey, packageId: 'p' })
      await database.transaction((sql) => receiveOrder(sql, sealer, origin, order))
      return id
    },
    /** An order that the vendor has. */
    async place(id = freshId()): Promise<string> {
      await this.receive(id)
      await database.pool.query('DELETE FROM vendor_tasks WHERE subject = $1', [`order:${id}`])
      await database.pool.query(
        `UPDATE orders SET state = 'ordered', vendor_order_id = 'V-' || $1 WHERE background_check_id = $1`,
        [id],
      )
      return id
    },
    record: (id: string, vendor: VendorOrder, now = Date.now()) =>
      database.transaction(async (sql) => {
        const reading = { mayRecord: async () => true, isLatest: true }
        const recorded = await recordVendorOrder(sql, sealer, id, vendor, now, reading)
        if (recorded === null) throw new Error('nobody was faster')
        return recorded
      }),
    cancel: (id: string) => database.transaction((sql) => cancelByCustomer(sql, sealer, origin, id, 'withdrew')),
    claim: (limit?: number): Promise<Claim[]> => claimDue(database, limit),
    settle: (claims: readonly Claim[], settled: Settled, callMsAgo?: number | null) =>
      settleClaims({ database, sealer, keepers: [] }, claims, settled, callMsAgo),
    /** The processes that hold claims die, and the claims run out. */
    crash: () => makeDue(`state = 'sending'`),
    /** Whatever waits for its next attempt is due. */
    ripen: () => makeDue(`state = 'pending' AND due_at > now()`),
    async rows(id: string): Promise<DeliveryRow[]> {
      const { rows } = await database.pool.query<DeliveryRow>('SELECT * FROM deliveries WHERE lane = $1 ORDER BY seq', [
        `order:${id}`,
      ])
      return rows
    },
  }
}

export const delivered: Extract<Settled, { to: 'delivered' }> = {
  to: 'delivered',
  confirmed: true,
  heldForApproval: false,
}
export const again: Settled = { to: 'pending', inMs: 0, attempt: 1, ambiguous: false }
export const handedBack: Settled = { to: 'pending', inMs: 0, attempt: 0, ambiguous: false }
export const dead: Settled = { to: 'dead', class: 'feishu' }
