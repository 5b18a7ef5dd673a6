import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import type { DeadClass } from '../map.js'
import { tryToOpenOther } from './bodies.js'
import { type Keepers, keeperOf, type SettledOther } from './keepers.js'
import { stateOf } from './state-of.js'

/** What the settlement of deliveries needs for those that belong to no order. */
export interface OtherParts {
  sealer: Sealer
  keepers: Keepers
}

/** A settled delivery as its row tells it. */
export interface OtherRow {
  id: string
  lane: string
  api: string
  app_id: string
  tenant_key: string
  state: string
  dead_class: DeadClass | null
  confirmed: boolean
  body_sealed: Buffer | null
}

interface Settled {
  id: string
  to: string
  answer?: { id: string }
}

/**
 * Tells the rooms what became of their deliveries, those of one lane together. Answers the buckets of what they put behind
 * them.
 */
export async function tellKeepers(
  sql: Sql,
  { sealer, keepers }: OtherParts,
  rows: readonly OtherRow[],
  settlements: readonly Settled[],
): Promise<number[]> {
  if (rows.length === 0) return []
  const answers = new Map(settlements.map((each) => [each.id, each.answer ?? null]))
  const settled = rows.flatMap((row) => settledOf(sealer, row, answers.get(row.id) ?? null))
  for (const keeper of keepers) {
    const its = settled.filter((each) => keeperOf(keepers, each.lane) === keeper)
    if (its.length > 0) await keeper.settled(sql, its)
  }
  const due = await sql.query<{ bucket_id: number }>(
    `SELECT DISTINCT bucket_id FROM deliveries d WHERE lane = ANY($1) AND ${stateOf('d')} = 'pending' AND due_at <= now()`,
    [[...new Set(settled.map((each) => each.lane))]],
  )
  return due.rows.map((row) => row.bucket_id)
}

function settledOf(sealer: Sealer, row: OtherRow, answer: { id: string } | null): SettledOther[] {
  const { id, lane, api, state } = row
  if (row.body_sealed === null || (state !== 'delivered' && state !== 'superseded' && state !== 'dead')) return []
  // What no key opens was never sent: it is dead for that reason, and must not keep others from settling.
  const content = tryToOpenOther(sealer, lane, api, row.body_sealed)
  if (content === null) return []
  const { app_id: appId, tenant_key: tenantKey, dead_class, confirmed } = row
  return [{ id, lane, appId, tenantKey, content, state, class: dead_class, confirmed, answer }]
}
