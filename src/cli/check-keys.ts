import { admitKeys, refuseUnfit } from '../flow/rotation/admit.js'
import { openDataKey } from '../platform/crypto/data-key.js'
import { SealError, type Sealer } from '../platform/crypto/sealer.js'
import type { Database } from '../platform/database/database.js'

/**
 * Whether the command has the keys of the database, and whether the newest order opens with them. Without this a command
 * that was started with another environment than the service, or with none, would write what the service cannot read, or
 * what anybody can. `looksOnly`: it will write nothing, and nor does this; else the key that it seals with is written down.
 */
export async function checkKeys(database: Database, sealer: Sealer, { looksOnly = false } = {}): Promise<void> {
  try {
    await (looksOnly ? refuseUnfit : admitKeys)(database, sealer)
    await openNewest(database, sealer)
  } catch (failure) {
    if (!(failure instanceof SealError)) throw failure
    throw new Error(`the keys do not fit this database; give the command those of the service`, { cause: failure })
  }
}

async function openNewest({ pool }: Database, sealer: Sealer): Promise<void> {
  const found = await pool.query<{ background_check_id: string; data_key: Buffer }>(
    `SELECT background_check_id, data_key FROM orders WHERE data_key IS NOT NULL
     ORDER BY created_at DESC, background_check_id LIMIT 1`,
  )
  const order = found.rows[0]
  if (order !== undefined) openDataKey(sealer, order.background_check_id, order.data_key)
}
