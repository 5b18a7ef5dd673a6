import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { addToAudit } from '../audit.js'
import { type ContactKind, searchHashes } from './contacts.js'
import type { Who } from './erase.js'

/**
 * The checks whose candidate has this phone number or mail address, in no order; the entry in the audit says of which kind
 * it was and how many there were, not what was looked for.
 */
export async function findByContact(
  sql: Sql,
  sealer: Sealer,
  { kind, value }: { kind: ContactKind; value: string },
  who: Who,
): Promise<string[]> {
  const found = await sql.query<{ background_check_id: string }>(
    'SELECT DISTINCT background_check_id FROM order_contacts WHERE hash = ANY($1) AND kind = $2',
    [searchHashes(sealer, kind, value), kind],
  )
  const after = { kind, matches: found.rows.length }
  await addToAudit(sql, [{ ...who, action: 'orders.search', subject: 'orders', outcome: 'done', after }])
  return found.rows.map((row) => row.background_check_id)
}
