import type pg from 'pg'
import { headSql, keyIdOf } from '../../platform/crypto/key-of.js'
import type { Database, Sql } from '../../platform/database/database.js'
import { contactsName, nameOf, type SealedPlace, sealedPlaces } from './places.js'

export interface Count {
  /** `orders.data_key`, … */
  place: string
  /** Empty: plain, from before there were keys. Null: not sealed by this service. */
  keyId: string | null
  values: number
}

/** A large table takes longer to count than a statement of the service may, and longer than its connection may be silent. */
const countWithinMs = 3_600_000

// `pg` reads the time from the query, and its types do not say so.
const patient = (text: string): pg.QueryConfig & { query_timeout: number } => ({ text, query_timeout: countWithinMs })

/** How many values lie under which key. Reads every table whole, and holds nobody up. */
export function countSealed(database: Database): Promise<Count[]> {
  return database.transaction(async (sql) => {
    await sql.query(`SET LOCAL statement_timeout = ${countWithinMs}`)
    const counts: Count[] = []
    for (const place of sealedPlaces) counts.push(...(await countPlace(sql, place)))
    return [...counts, ...(await countContacts(sql))]
  })
}

async function countPlace(sql: Sql, place: SealedPlace): Promise<Count[]> {
  const { table, column, only = 'true' } = place
  const found = await sql.query<{ head: Buffer; values: number }>(
    patient(`SELECT ${headSql(column)} AS head, count(*)::float8 AS values FROM ${table}
     WHERE ${column} IS NOT NULL AND ${only} GROUP BY 1 ORDER BY 1`),
  )
  return found.rows.map(({ head, values }) => ({ place: nameOf(place), keyId: keyIdOf(head), values }))
}

async function countContacts(sql: Sql): Promise<Count[]> {
  const found = await sql.query<{ key_id: string; values: number }>(
    patient('SELECT key_id, count(*)::float8 AS values FROM order_contacts GROUP BY 1 ORDER BY 1'),
  )
  return found.rows.map(({ key_id, values }) => ({ place: contactsName, keyId: key_id, values }))
}
