import type { Sql } from '../../platform/database/database.js'

export const archiveTable = 'archived_orders'

/** What is archived now comes into this month, whatever month it ended in: a month that is over stays as it is. */
export async function thisMonth(sql: Sql): Promise<string> {
  const found = await sql.query<{ month: string }>(`SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM') AS month`)
  return found.rows[0]?.month ?? ''
}
