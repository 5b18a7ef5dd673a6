import type { Sql } from '../../platform/database/database.js'
import { type KnownDelivery, ownStageId } from './known-delivery.js'

/**
 * Stages that an operator had sent again go under an id of their own. The timeline says whose place they take, so that
 * the vendor's next words are compared with what was sent last.
 */
export async function withResends(
  sql: Sql,
  backgroundCheckId: string,
  deliveries: readonly KnownDelivery[],
): Promise<KnownDelivery[]> {
  if (!mayHoldResends(deliveries)) return [...deliveries]
  const found = await sql.query<{ stage_id: string; resends: string }>(
    `SELECT detail ->> 'stage_id' AS stage_id, detail ->> 'resends' AS resends FROM timeline
     WHERE background_check_id = $1 AND kind = 'resent' AND detail ? 'resends'`,
    [backgroundCheckId],
  )
  const originals = new Map(found.rows.map((row) => [row.stage_id, row.resends]))
  return deliveries.map((each) => {
    const stageId = ownStageId(each)
    const original = stageId === undefined ? undefined : originals.get(stageId)
    return original === undefined ? each : { ...each, standsFor: original }
  })
}

const mostCharacters = 36

/** `a-2` beside `a` may be one; an id as long as Feishu takes was perhaps cut for its number. Spares the question to most orders. */
function mayHoldResends(deliveries: readonly KnownDelivery[]): boolean {
  const ids = new Set(deliveries.map(({ content }) => (content.api === 'update_progress' ? content.body.stage_id : '')))
  return [...ids].some((id) => {
    const base = /^(.+)-\d+$/.exec(id)?.[1]
    return base !== undefined && (ids.has(base) || id.length === mostCharacters)
  })
}
