import type { KeyMark } from '../../platform/crypto/key-marks.js'
import { readApplicationName } from '../../platform/database/application-name.js'
import type { Sql } from '../../platform/database/database.js'

/** A running service or command, by its connections: what it seals with, and what it opens. */
export interface Running {
  /** Where it connects from; empty for a socket of this machine. */
  address: string
  marks: readonly KeyMark[]
}

/** Who works on this database at this moment. Every process keeps a connection for as long as it runs. */
export async function runningProcesses(sql: Sql): Promise<Running[]> {
  const found = await sql.query<{ address: string | null; name: string; schema: string }>(
    `SELECT DISTINCT host(client_addr) AS address, application_name AS name, current_schema() AS schema
     FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'bgc-bridge %' ORDER BY 1, 2`,
  )
  return found.rows.flatMap(({ address, name, schema }) => {
    const marks = readApplicationName(name, schema)
    return marks === null ? [] : [{ address: address ?? '', marks }]
  })
}
