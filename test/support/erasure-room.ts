import { createInbox } from '../../src/flow/inbox/accept.js'
import { startInboxWorker } from '../../src/flow/inbox/worker.js'
import { receiveOrder } from '../../src/flow/orders/receive.js'
import { type Erased, eraseOrder } from '../../src/flow/personal-data/erase.js'
import type { Database } from '../../src/platform/database/database.js'
import { eventually } from './eventually.js'
import { readEverything } from './everything.js'
import { lanesOn, origin } from './lane-room.js'
import { orderToPlace } from './order-to-place.js'
import { count, freshId, type Ground, layGround } from './room.js'

/** What nothing may hold of a candidate after erasure: each value below has it. */
export const canary = 'canary'
export const candidate = {
  name: 'canary-name',
  email: 'canary@example.com',
  mobile: { code: '86', number: '13800138000' },
}
export const who = { actor: 'tester', via: 'api' } as const

const filled =
  'deliveries, lanes, orders, order_contacts, timeline, vendor_tasks, poll_schedule, events, audit, findings'

/** The room on ground of its own, with nothing in it yet; `empty` makes it so again. */
export async function layErasureRoom() {
  const ground = await layGround()
  const query = async (text: string, values: unknown[] = []) => (await ground.database.pool.query(text, values)).rows
  return { ground, room: erasureOn(ground), query, empty: () => query(`TRUNCATE ${filled}`) }
}

export type ErasureRoom = Awaited<ReturnType<typeof layErasureRoom>>

/** Verbs for orders with a person in them, on one database. */
export function erasureOn(ground: Ground) {
  const { database, sealer, log } = ground
  const lanes = lanesOn(ground)
  const room = {
    ...lanes,
    personal: (id: string) =>
      orderToPlace(id, {
        tenantKey: origin.tenantKey,
        candidate,
        contact: { name: 'canary-contact' },
        customFields: { school: 'canary-school' },
        comment: 'canary-comment',
      }),
    /** An order of a customer, with a task to place it. */
    async receive(id = freshId()): Promise<string> {
      await database.transaction((sql) => receiveOrder(sql, sealer, origin, room.personal(id)))
      return id
    },
    /** One that the vendor has and that is polled. */
    async place(id = freshId()): Promise<string> {
      await room.receive(id)
      await database.pool.query('DELETE FROM vendor_tasks WHERE subject = $1', [`order:${id}`])
      await database.pool.query(
        `UPDATE orders SET state = 'ordered', vendor_order_id = 'V-' || $1 WHERE background_check_id = $1`,
        [id],
      )
      await database.pool.query(
        `INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms, due_at)
         VALUES ($1, 'tk_lane', 1000, now() + interval '1 hour')`,
        [id],
      )
      return id
    },
    erase: (id: string, force = true, on: Database = database): Promise<Erased> =>
      on.transaction((sql) => eraseOrder(sql, id, { force, who })),
    /** Receives an event as the webhook does, and waits until the worker is done with it. */
    async take(eventId: string, type: string, event: object, tenantKey = origin.tenantKey): Promise<void> {
      const inbox = createInbox({ database, sealer, onAccepted: () => undefined })
      const header = { appId: origin.appId, eventId, type, tenantKey, createTime: '1767315600000' }
      const answer = await inbox.accept({ ...header, payload: Buffer.from(JSON.stringify({ event })) })
      if (answer === 'unavailable') throw new Error('expected the event to be kept')
      const worker = startInboxWorker({ database, sealer, log, onEffect: () => undefined })
      await eventually(() => count(database, `events WHERE state = 'new'`)).toBe(0)
      await worker.stop()
    },
    everything: () => readEverything(database, { k1: Buffer.alloc(32, 7) }),
    async order(id: string) {
      const found = await database.pool.query('SELECT * FROM orders WHERE background_check_id = $1', [id])
      return found.rows[0]
    },
    async timeline(id: string): Promise<Array<{ kind: string; detail: object }>> {
      const text = 'SELECT kind, detail FROM timeline WHERE background_check_id = $1 ORDER BY id'
      return (await database.pool.query(text, [id])).rows
    },
    rowsAbout: (table: string, id: string) => count(database, `${table} t WHERE position($1 IN t::text) > 0`, [id]),
  }
  return room
}
