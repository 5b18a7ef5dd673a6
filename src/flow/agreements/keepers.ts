import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import type { LaneKeeper, OtherDelivery, SettledOther } from '../outbox/keepers.js'
import { putBackBehind } from '../outbox/put-other.js'
import type { Revived } from '../outbox/revive.js'
import { changesPrefix, createsPrefix } from './lanes.js'
import { keepAgreement, lockAgreement } from './rows.js'

/** What becomes of agreements by what becomes of their deliveries. */
export function createAgreementKeepers(sealer: Sealer): LaneKeeper[] {
  return [
    {
      prefix: changesPrefix,
      settled: (sql, deliveries) =>
        undoDeletes(
          sql,
          deliveries.filter((each) => each.state === 'dead'),
        ),
      revive: (sql, dead) => reviveChange(sql, sealer, dead),
    },
    {
      prefix: createsPrefix,
      settled: keepCreated,
      revive: (sql, dead) => reviveCreate(sql, sealer, dead),
    },
  ]
}

/** A delete that died deleted nothing that we know of: changes are taken again. */
async function undoDeletes(sql: Sql, dead: readonly SettledOther[]): Promise<void> {
  for (const { appId, tenantKey, content } of dead) {
    if (content.api !== 'tripartite_agreements.delete') continue
    const agreement = { appId, tenantKey, id: content.body.tripartite_agreement_id }
    const row = await lockAgreement(sql, agreement)
    await keepAgreement(sql, agreement, { ...row, deleted: false })
  }
}

/**
 * Keeps the ids that Feishu gave, or had given before. What an agreement that was there before looks like is not known,
 * so only its time is kept, and no state. Sorted, since two settlements may come to the same agreements.
 */
async function keepCreated(sql: Sql, deliveries: readonly SettledOther[]): Promise<void> {
  const created = deliveries.flatMap(({ id, appId, tenantKey, content, answer }) =>
    content.api !== 'tripartite_agreements.create' || answer === null
      ? []
      : [{ deliveryId: id, appId, tenantKey, id: answer.id, ...content.body }],
  )
  for (const each of created.toSorted((one, other) => (one.id < other.id ? -1 : 1))) {
    await sql.query(
      `INSERT INTO agreements (app_id, tenant_key, agreement_id, application_id, modify_time) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (app_id, tenant_key, agreement_id) DO UPDATE SET application_id = excluded.application_id,
         modify_time = greatest(agreements.modify_time, excluded.modify_time), updated_at = now()`,
      [each.appId, each.tenantKey, each.id, each.application_id, each.create_time],
    )
    await sql.query(
      `INSERT INTO agreement_creations (delivery_id, agreement_id) VALUES ($1, $2)
       ON CONFLICT (delivery_id) DO UPDATE SET agreement_id = excluded.agreement_id`,
      [each.deliveryId, each.id],
    )
  }
}

async function reviveChange(sql: Sql, sealer: Sealer, dead: OtherDelivery): Promise<Revived> {
  const refusal = await overtaken(sql, dead)
  if (refusal !== null) return refusal
  const { appId, tenantKey, content } = dead
  if (content.api === 'tripartite_agreements.delete') {
    const agreement = { appId, tenantKey, id: content.body.tripartite_agreement_id }
    const row = await lockAgreement(sql, agreement)
    await keepAgreement(sql, agreement, { ...row, deleted: true })
    return { kind: 'revived', buckets: await putBackBehind(sql, sealer, dead) }
  }
  if (content.api !== 'tripartite_agreements.update') return refused('it is no change of an agreement')
  const agreement = { appId, tenantKey, id: content.body.tripartite_agreement_id }
  const row = await lockAgreement(sql, agreement)
  if (row.deleted) return refused('the agreement was deleted')
  const modifyTime = Math.max(Number(content.body.modify_time), row.modifyTime)
  await keepAgreement(sql, agreement, { state: content.body.state, modifyTime, deleted: false })
  const again = { ...content, body: { ...content.body, modify_time: String(modifyTime) } }
  return { kind: 'revived', buckets: await putBackBehind(sql, sealer, { ...dead, content: again }) }
}

async function reviveCreate(sql: Sql, sealer: Sealer, dead: OtherDelivery): Promise<Revived> {
  const refusal = await overtaken(sql, dead)
  if (refusal !== null) return refusal
  return { kind: 'revived', buckets: await putBackBehind(sql, sealer, dead) }
}

/** Feishu has, or will have, something later than what died: sending that now would undo it. */
async function overtaken(sql: Sql, { id }: OtherDelivery): Promise<Revived | null> {
  const found = await sql.query<{ api: string; state: string }>(
    `SELECT l.api, l.state FROM deliveries d JOIN deliveries l ON l.lane = d.lane AND l.seq > d.seq
     WHERE d.id = $1 AND l.state IN ('delivered', 'pending', 'sending') ORDER BY l.seq LIMIT 1`,
    [id],
  )
  const [later] = found.rows
  return later === undefined ? null : refused(`the ${later.api} after it is ${later.state}`)
}

function refused(reason: string): Revived {
  return { kind: 'refused', reason }
}
