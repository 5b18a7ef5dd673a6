import type { Sql } from '../../../platform/database/database.js'
import type { AccountField } from '../../map.js'
import type { Failure } from '../rows.js'
import { type FormCall, type KnownForm, nothingKnown } from './known.js'

export interface FormKey {
  appId: string
  tenantKey: string
}

export interface FormRow {
  wanted: AccountField[] | null
  known: KnownForm
  state: 'in_step' | 'syncing' | 'failed'
  failure: Failure | null
}

interface StoredRow {
  wanted: AccountField[] | null
  held: AccountField[]
  spent: string[]
  unclear: FormCall[]
  state: FormRow['state']
  failure: Failure | null
}

/** The caller holds the form's lane. */
export async function readForm(sql: Sql, { appId, tenantKey }: FormKey): Promise<FormRow> {
  const found = await sql.query<StoredRow>(
    `SELECT wanted, held, spent, unclear, state, failure FROM account_field_sets
     WHERE app_id = $1 AND tenant_key = $2 FOR UPDATE`,
    [appId, tenantKey],
  )
  // Only saveForm writes these columns.
  const row = found.rows[0]
  if (row === undefined) return { wanted: null, known: nothingKnown(), state: 'in_step', failure: null }
  const { wanted, held, spent, unclear, state, failure } = row
  return { wanted, known: { held, spent, unclear }, state, failure }
}

export async function saveForm(sql: Sql, { appId, tenantKey }: FormKey, row: FormRow): Promise<void> {
  const { wanted, known, state, failure } = row
  const json = (value: unknown) => (value === null ? null : JSON.stringify(value))
  await sql.query(
    `INSERT INTO account_field_sets (app_id, tenant_key, wanted, held, spent, unclear, state, failure)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (app_id, tenant_key) DO UPDATE SET wanted = excluded.wanted, held = excluded.held,
       spent = excluded.spent, unclear = excluded.unclear, state = excluded.state, failure = excluded.failure,
       updated_at = now()`,
    [appId, tenantKey, json(wanted), json(known.held), json(known.spent), json(known.unclear), state, json(failure)],
  )
}
