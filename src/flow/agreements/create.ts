import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { lockLane } from '../outbox/lanes.js'
import { putBehind, readUnsettled } from '../outbox/put-other.js'
import { type Put, putOf } from './change.js'
import { type ApplicationKey, laneOfApplication } from './lanes.js'

export interface NewAgreement {
  /** 1 to 9. */
  state: number
  /** Milliseconds; now when left out. */
  createTime?: number | undefined
}

export type Creation = (Put & { createTime: string }) | { kind: 'another_waits'; deliveryId: string }

/**
 * Creates the agreement of an application in Feishu. While one waits to be created, the same again is that one, and
 * another one is refused: an application has one agreement.
 */
export async function createAgreement(
  sql: Sql,
  sealer: Sealer,
  application: ApplicationKey,
  { state, createTime: given }: NewAgreement,
  now: number,
): Promise<Creation> {
  const to = laneOfApplication(application)
  await lockLane(sql, to.lane)
  for (const { id, content } of await readUnsettled(sql, sealer, to.lane)) {
    if (content.api !== 'tripartite_agreements.create') continue
    const { body } = content
    const isSame = body.state === state && (given === undefined || body.create_time === String(given))
    if (!isSame) return { kind: 'another_waits', deliveryId: id }
    return { kind: 'unchanged', deliveryId: id, createTime: body.create_time }
  }
  const createTime = String(given ?? now)
  const body = { application_id: application.applicationId, state, create_time: createTime }
  const put = await putBehind(sql, sealer, to, [{ content: { api: 'tripartite_agreements.create', body } }])
  return { ...putOf(put), createTime }
}
