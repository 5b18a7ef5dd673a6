import type { Sql } from '../../platform/database/database.js'
import { addToAudit } from '../audit.js'
import { release } from '../to-feishu/holds.js'
import { type FeishuOrder, isInFeishu, orderStatus } from '../to-feishu/order-reads.js'
import type { OurOrder } from './compare.js'
import { type ClaimedSweep, holdsSweep } from './sweeps.js'

/**
 * The orders of a tenant were compared since the database was restored: it is held no more. In the transaction that ends
 * the sweep. Answers the buckets that have something to do; `null` when nothing was held, or somebody else swept.
 */
export async function releaseRestored(sql: Sql, sweep: ClaimedSweep): Promise<number[] | null> {
  if (!(await holdsSweep(sql, sweep))) return null
  const { appId, tenantKey } = sweep
  const found = await sql.query<{ id: string }>(
    `SELECT id FROM holds WHERE released_at IS NULL AND scope = 'restore' AND app_id = $1 AND tenant_key = $2`,
    [appId, tenantKey],
  )
  const id = found.rows[0]?.id
  const buckets = id === undefined ? null : await release(sql, BigInt(id))
  if (id === undefined || buckets === null) return null
  await addToAudit(sql, [
    {
      actor: 'bgc-bridge',
      via: 'service',
      action: 'holds.release',
      subject: `hold:${id}`,
      outcome: 'done',
      after: { scope: 'restore', app_id: appId, tenant_key: tenantKey, because: 'orders were compared' },
    },
  ])
  return buckets
}

/**
 * Whether Feishu shows nothing of an open order that is not known here: nothing was sent after the backup was made. A list
 * that lacks what Feishu confirmed is not believed.
 */
export function showsNothingElse({ deliveries, opaque }: OurOrder, theirs: FeishuOrder): boolean {
  if (opaque !== undefined || theirs.status !== orderStatus.arranged || theirs.hasResult) return false
  const stages = deliveries.filter((each) => each.content.api === 'update_progress')
  const areThere = stages.filter((each) => isInFeishu(theirs, each.content))
  return (
    stages.every((each) => each.is !== 'confirmed' || areThere.includes(each)) &&
    theirs.stages.length <= areThere.length
  )
}
