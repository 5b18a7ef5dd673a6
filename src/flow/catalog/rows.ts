import type { Sql } from '../../platform/database/database.js'
import { type Doubt, type Known, nothingKnown } from './known.js'
import type { Catalog, Spent } from './shapes.js'

/** `waiting`: what cannot be undone waits for an operator's word. `failed`: `failure` says why, and nothing goes on. */
export type CatalogState = 'in_step' | 'syncing' | 'waiting' | 'failed'

export interface Failure {
  class: 'customer' | 'vendor' | 'feishu' | 'ours' | 'unconfirmed'
  message: string
  action: string
}

export interface CatalogRow {
  /** `null`: nobody has said what Feishu should show. */
  wanted: Catalog | null
  known: Known
  state: CatalogState
  /** Somebody agreed to what cannot be undone on the way to `wanted`. */
  allowed: boolean
  wantedBy: 'vendor' | 'operator' | null
  /** What the vendor's last answer to a binding asked for. */
  offered: unknown
  failure: Failure | null
}

interface StoredRow {
  wanted: Catalog | null
  held: Catalog
  spent: Spent
  unclear: Doubt[]
  appends: boolean | null
  state: CatalogState
  allowed: boolean
  wanted_by: CatalogRow['wantedBy']
  offered: unknown
  failure: Failure | null
}

const columns = 'wanted, held, spent, unclear, appends, state, allowed, wanted_by, offered, failure'

/** The row of an account, or what an account without one has. The caller holds the account's lane. */
export async function readRow(sql: Sql, accountId: string): Promise<CatalogRow> {
  const text = `SELECT ${columns} FROM catalogs WHERE account_id = $1 FOR UPDATE`
  const stored = (await sql.query<StoredRow>(text, [accountId])).rows[0]
  const appends = stored?.appends ?? (await hasAppended(sql))
  if (stored !== undefined) return rowOf(stored, appends)
  const known = { ...nothingKnown(), appends }
  return { wanted: null, known, state: 'in_step', allowed: false, wantedBy: null, offered: null, failure: null }
}

/** The row as it is at this moment, to be shown; `null` when nobody ever said anything about the catalog. */
export async function lookAtRow(sql: Sql, accountId: string): Promise<{ row: CatalogRow; updatedAt: Date } | null> {
  const text = `SELECT ${columns}, updated_at FROM catalogs WHERE account_id = $1`
  const stored = (await sql.query<StoredRow & { updated_at: Date }>(text, [accountId])).rows[0]
  return stored === undefined ? null : { row: rowOf(stored, stored.appends), updatedAt: stored.updated_at }
}

/** Only saveRow writes these columns. */
function rowOf(stored: StoredRow, appends: boolean | null): CatalogRow {
  const { wanted, held, spent, unclear: doubts, state, allowed, wanted_by: wantedBy, offered, failure } = stored
  return { wanted, known: { held, spent, doubts, appends }, state, allowed, wantedBy, offered, failure }
}

/** What Feishu has shown for one account holds for all. That it replaced may have had another reason there. */
async function hasAppended(sql: Sql): Promise<true | null> {
  const found = await sql.query('SELECT 1 FROM catalogs WHERE appends LIMIT 1')
  return found.rows.length > 0 ? true : null
}

export async function saveRow(sql: Sql, accountId: string, row: CatalogRow): Promise<void> {
  const { wanted, known, state, allowed, wantedBy, offered, failure } = row
  const json = (value: unknown) => (value === null ? null : JSON.stringify(value))
  await sql.query(
    `INSERT INTO catalogs (account_id, ${columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
     ON CONFLICT (account_id) DO UPDATE SET (${columns}, updated_at) =
       ROW (excluded.wanted, excluded.held, excluded.spent, excluded.unclear, excluded.appends, excluded.state,
            excluded.allowed, excluded.wanted_by, excluded.offered, excluded.failure, now())`,
    [
      accountId,
      json(wanted),
      json(known.held),
      json(known.spent),
      json(known.doubts),
      known.appends,
      state,
      allowed,
      wantedBy,
      json(offered),
      json(failure),
    ],
  )
}
