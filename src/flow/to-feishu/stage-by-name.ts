import { openDataKey } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import type { OrderBody } from '../map.js'
import { openBody } from '../outbox/bodies.js'
import type { Claim } from '../outbox/claim.js'
import { stagesOfUnsure } from '../outbox/unsure.js'

/**
 * Whether a stage is looked for by its name alone. One that is found again after a restore can have another time than the
 * one that Feishu took: the time it was seen, or one raised behind others. Feishu's list shows no `stage_id`, so this holds
 * only where no other stage of the order has that name.
 */
export async function isKnownByName(sql: Sql, sealer: Sealer, claim: Claim, content: OrderBody): Promise<boolean> {
  const { lane, id, backgroundCheckId, dataKey, api } = claim
  if (content.api !== 'update_progress' || backgroundCheckId === null || dataKey === null) return false
  const others = await stagesOfUnsure(sql, lane, id)
  if (others === null) return false
  const key = openDataKey(sealer, backgroundCheckId, dataKey)
  const names = others.map((sealed) => {
    const other = openBody(key, lane, api, sealed)
    return other.api === 'update_progress' ? other.body.stage_name : ''
  })
  return !names.includes(content.body.stage_name)
}
