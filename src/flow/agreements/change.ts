import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { lockLane } from '../outbox/lanes.js'
import { putBehind, supersedeUntried } from '../outbox/put-other.js'
import { type AgreementKey, laneOfAgreement } from './lanes.js'
import { type AgreementRow, keepAgreement, lastDelivery, lockAgreement } from './rows.js'

/**
 * The room `agreements`: tripartite agreements (contract §3.9), changed by operators and by the vendor's feed.
 *
 * What is accepted waits in the agreement's lane, so Feishu gets the changes one after the other; what was accepted last
 * is a row, so that time never goes back. Each verb runs in a transaction of the caller, who tells the pumps of the
 * buckets when it is committed.
 */
export type Put =
  | { kind: 'put'; deliveryId: string; buckets: number[] }
  /** Accepted before: nothing new is sent. The delivery is `null` when it is not kept any more. */
  | { kind: 'unchanged'; deliveryId: string | null }

export interface StateChange {
  /** 1 to 9. */
  state: number
  /** Milliseconds; left out: now, or the last one if that is later. */
  modifyTime?: number | undefined
}

export type Change = (Put & { modifyTime: number }) | { kind: 'older'; last: number } | { kind: 'deleted' }

/** The first moment that 13 digits can write, which is how Feishu takes times. No agreement is older. */
export const earliest = 1_000_000_000_000

/** Sends a state of an agreement to Feishu, unless the agreement was changed later or is deleted. */
export async function changeAgreement(
  sql: Sql,
  sealer: Sealer,
  agreement: AgreementKey,
  { state, modifyTime: given }: StateChange,
  now: number,
): Promise<Change> {
  const to = laneOfAgreement(agreement)
  await lockLane(sql, to.lane)
  const row = await lockAgreement(sql, agreement)
  if (row.deleted) return { kind: 'deleted' }
  const last = Math.max(row.modifyTime, earliest)
  if (given !== undefined && given < last) return { kind: 'older', last }
  const modifyTime = Math.max(given ?? now, last)
  const before = await acceptedBefore(sql, to.lane, row, { state, modifyTime })
  if (before !== undefined) return { kind: 'unchanged', deliveryId: before, modifyTime }
  const body = { tripartite_agreement_id: agreement.id, state, modify_time: String(modifyTime) }
  const put = await putBehind(sql, sealer, to, [{ content: { api: 'tripartite_agreements.update', body } }])
  await keepAgreement(sql, agreement, { state, modifyTime, deleted: false })
  return { ...putOf(put), modifyTime }
}

/** The delivery of the same change, accepted as the last one; what is dead since does not count. */
async function acceptedBefore(
  sql: Sql,
  lane: string,
  row: AgreementRow,
  wanted: { state: number; modifyTime: number },
): Promise<string | null | undefined> {
  if (row.state !== wanted.state || row.modifyTime !== wanted.modifyTime) return undefined
  const delivery = await lastDelivery(sql, lane)
  return delivery?.state === 'dead' ? undefined : (delivery?.id ?? null)
}

/** Deletes an agreement in Feishu; changes that wait and that Feishu never saw are not needed any more. */
export async function deleteAgreement(sql: Sql, sealer: Sealer, agreement: AgreementKey): Promise<Put> {
  const to = laneOfAgreement(agreement)
  await lockLane(sql, to.lane)
  const row = await lockAgreement(sql, agreement)
  if (row.deleted) return { kind: 'unchanged', deliveryId: (await lastDelivery(sql, to.lane))?.id ?? null }
  await supersedeUntried(sql, to.lane)
  const body = { tripartite_agreement_id: agreement.id }
  const put = await putBehind(sql, sealer, to, [{ content: { api: 'tripartite_agreements.delete', body } }])
  await keepAgreement(sql, agreement, { ...row, deleted: true })
  return putOf(put)
}

export function putOf({ ids, buckets }: { ids: string[]; buckets: number[] }): Put {
  const [deliveryId] = ids
  if (deliveryId === undefined) throw new Error('a delivery was put and has no id')
  return { kind: 'put', deliveryId, buckets }
}
