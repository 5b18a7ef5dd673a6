import { type ArchiveOptions, archiveOrders } from '../../src/flow/archive/run.js'
import { erasureOn } from './erasure-room.js'
import { delivered } from './lane-room.js'
import { count, freshId, type Ground } from './room.js'
import { settleAll } from './settle-due.js'
import { saying, stage } from './vendor-words.js'

export const hotTables = ['orders', 'timeline', 'deliveries', 'lanes', 'findings', 'order_contacts'] as const

/** Verbs for orders that are over, on one database. */
export function archiveOn(ground: Ground) {
  const { database, sealer } = ground
  const erasure = erasureOn(ground)
  const room = {
    ...erasure,
    /** One whose stages and result Feishu took. */
    async complete(id = freshId()): Promise<string> {
      await erasure.place(id)
      await erasure.record(id, saying('completed', [stage('a'), stage('b')], 'canary-outcome'))
      await settleAll({ database, sealer, keepers: [] }, delivered)
      return id
    },
    /** That was erased, and has not changed for 500 days. */
    async old(id = freshId()): Promise<string> {
      await room.complete(id)
      await room.age(id)
      return id
    },
    async age(id: string, days = 500): Promise<void> {
      await erasure.erase(id)
      await database.pool.query(
        `UPDATE orders SET updated_at = now() - $2 * interval '1 day' WHERE background_check_id = $1`,
        [id, days],
      )
    },
    archive: (options: Partial<ArchiveOptions> = {}) =>
      archiveOrders({ database, actor: 'tester', days: 400, batch: 200, limit: 1e9, dryRun: false, ...options }),
    isArchived: async (id: string) =>
      (await count(database, 'archived_orders WHERE background_check_id = $1', [id])) === 1,
    /** Rows in the tables of what lives that name the check. */
    async living(id: string): Promise<number> {
      const counts = await Promise.all(hotTables.map((table) => erasure.rowsAbout(table, id)))
      return counts.reduce((sum, rows) => sum + rows, 0)
    },
  }
  return room
}
