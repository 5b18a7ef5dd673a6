import { refuseMissingKeys } from '../../flow/rotation/admit.js'
import { openDataKey } from '../../platform/crypto/data-key.js'
import { SealError, type Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'

/** Whether everything that is sealed opens with the keys of the command: a database that nobody can read is not brought. */
export async function refuseClosed(sql: Sql, sealer: Sealer): Promise<void> {
  try {
    await refuseMissingKeys(sql, sealer)
    for (const order of await oneOfEachKey(sql)) openDataKey(sealer, order.background_check_id, order.data_key)
  } catch (failure) {
    if (!(failure instanceof SealError)) throw failure
    throw new Error(
      'the keys do not fit what was backed up; give the command those of that time, and new ones before them',
      {
        cause: failure,
      },
    )
  }
}

/** The head of a sealed value names its key (src/platform/crypto/sealer.ts). */
async function oneOfEachKey(sql: Sql) {
  const found = await sql.query<{ background_check_id: string; data_key: Buffer }>(
    `SELECT DISTINCT ON (head) background_check_id, data_key FROM (
       SELECT background_check_id, data_key,
         CASE WHEN get_byte(data_key, 0) = 1 THEN substring(data_key FOR 2 + get_byte(data_key, 1)) END AS head
       FROM orders WHERE data_key IS NOT NULL AND length(data_key) > 1) o
     ORDER BY head, background_check_id`,
  )
  return found.rows
}
