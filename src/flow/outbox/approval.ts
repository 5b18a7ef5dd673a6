import type { Sql } from '../../platform/database/database.js'
import { addToTimeline, type TimelineNote } from '../timeline.js'

/**
 * Where a tenant wants reports approved, Feishu takes a result and holds it (contract §3.3). The answer to the call does
 * not say so: an order is `completed` until something tells that its result is held, and `reported` from then on.
 */

/** Feishu is known to hold the result of an order for approval. True when that is news. */
export async function markHeld(sql: Sql, backgroundCheckId: string, detail?: TimelineNote['detail']): Promise<boolean> {
  const held = await move(sql, backgroundCheckId, 'completed', 'reported')
  if (held) await addToTimeline(sql, [{ backgroundCheckId, kind: 'held_for_approval', ...(detail && { detail }) }])
  return held
}

/** A read of the order shows that the result was approved. True when that is news. */
export async function markApproved(sql: Sql, backgroundCheckId: string): Promise<boolean> {
  const approved = await markNotHeld(sql, backgroundCheckId)
  if (approved) await addToTimeline(sql, [{ backgroundCheckId, kind: 'approved' }])
  return approved
}

/** Feishu is known to hold the result no more; what an administrator decided is not known. True when that is news. */
async function markNotHeld(sql: Sql, backgroundCheckId: string): Promise<boolean> {
  return move(sql, backgroundCheckId, 'reported', 'completed')
}

/** Only between the two states of a result that Feishu took: `reported` is also the state of one that waits to be sent. */
async function move(sql: Sql, id: string, from: 'completed' | 'reported', to: 'completed' | 'reported') {
  const moved = await sql.query(
    `UPDATE orders SET state = $3, updated_at = now() WHERE background_check_id = $1 AND state = $2 AND EXISTS (
       SELECT 1 FROM deliveries d WHERE d.background_check_id = $1 AND d.api = 'update_result' AND d.state = 'delivered')`,
    [id, from, to],
  )
  return moved.rowCount === 1
}

export interface SettledResult {
  id: string
  api: string
  state: string
  background_check_id: string | null
  /** Of Feishu's refusal. */
  code: number | undefined
}

/** What the refusal of a result that was sent again tells about the one before it (contract §3.10). */
export async function settleApprovals(sql: Sql, rows: readonly SettledResult[]): Promise<void> {
  for (const { id, api, state, background_check_id, code } of rows) {
    if (api !== 'update_result' || background_check_id === null) continue
    if (state === 'pending' && code === 1002863) await markHeld(sql, background_check_id, { delivery_id: id })
    if (state === 'dead' && code === 1002858) await markNotHeld(sql, background_check_id)
  }
}
