import type { Sql } from '../platform/database/database.js'

/** Who did what to what. `before` and `after` hold ids, states and counts, never personal data. */
export interface AuditEntry {
  /** Name of the API key; the user of a command line; `bgc-bridge` for what the service does by itself. */
  actor: string
  via: 'api' | 'console' | 'cli' | 'service'
  /** `orders.erase`, `deliveries.reveal`, … */
  action: string
  /** `order:<id>`, `delivery:<id>`, `account:<id>`, … */
  subject: string
  outcome: 'done' | 'refused'
  before?: object
  after?: object
  address?: string
}

/** Written in the transaction of what it tells about, so that nothing happens without its entry. */
export async function addToAudit(sql: Sql, entries: readonly AuditEntry[]): Promise<void> {
  for (const { actor, via, action, subject, outcome, before, after, address } of entries) {
    await sql.query(
      `INSERT INTO audit (actor, via, action, subject, outcome, before, after, address) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
      [actor, via, action, subject, outcome, before ?? null, after ?? null, address ?? null],
    )
  }
}
