import type { Sealer } from '../../../platform/crypto/sealer.js'
import type { Sql } from '../../../platform/database/database.js'
import type { LaneKeeper, OtherDelivery, SettledOther } from '../../outbox/keepers.js'
import { supersedeUntried } from '../../outbox/put-other.js'
import type { Revived } from '../../outbox/revive.js'
import { type Facts, factsOf } from '../facts.js'
import { saying } from '../shapes.js'
import { afterDelivered, afterLost } from './known.js'
import { type FormRow, readForm, saveForm } from './rows.js'
import { courseTo, follow, isFormCall, readPending } from './sync.js'

/** Keeps the lanes of forms: when a call dies, what waits behind it goes and the form is `failed`, until somebody asks again. */
export function formKeeper(sealer: Sealer): LaneKeeper {
  return {
    prefix: 'account_fields:',
    settled: async (sql, deliveries) => {
      const facts = await factsOf(sql, deliveries)
      for (const delivery of deliveries) await settleOne(sql, sealer, delivery, facts.get(delivery.id))
    },
    revive: (sql, dead) => revive(sql, sealer, dead),
  }
}

async function settleOne(sql: Sql, sealer: Sealer, delivery: SettledOther, facts: Facts | undefined): Promise<void> {
  const { content: call, state, lane } = delivery
  if (!isFormCall(call) || state === 'superseded') return
  const row = await readForm(sql, delivery)
  if (state === 'delivered') return goOn(sql, sealer, delivery, { ...row, known: afterDelivered(row.known, call) })
  await supersedeUntried(sql, lane)
  const isLost = facts?.ambiguous === true || delivery.class === 'unconfirmed'
  const failure = {
    class: delivery.class ?? ('ours' as const),
    message: `${call.api}: ${facts?.reason ?? 'its delivery is dead'}`,
    action: 'mend the cause, then send the delivery again or run bgc account-fields apply again',
  }
  const known = isLost ? afterLost(row.known, call) : row.known
  await saveForm(sql, delivery, { ...row, known, state: 'failed', failure })
}

/** What was wanted was agreed to as a whole, so whatever is left of it goes. */
async function goOn(sql: Sql, sealer: Sealer, { appId, tenantKey }: OtherDelivery, row: FormRow): Promise<void> {
  const key = { appId, tenantKey }
  if (row.wanted === null || row.state === 'failed') return saveForm(sql, key, row)
  const course = courseTo(row.known, await readPending(sql, sealer, key), row.wanted)
  if (course.complaints.length === 0) {
    await follow(sql, sealer, key, row, course)
    return
  }
  const message = `Feishu cannot get there any more: ${saying(course.complaints)}`
  const failure = { class: 'vendor' as const, message, action: 'run bgc account-fields apply with another form' }
  await saveForm(sql, key, { ...row, state: 'failed', failure })
}

async function revive(sql: Sql, sealer: Sealer, { appId, tenantKey }: OtherDelivery): Promise<Revived> {
  const key = { appId, tenantKey }
  const row = await readForm(sql, key)
  if (row.wanted === null) return { kind: 'refused', reason: 'nobody has said what the form should be' }
  const course = courseTo(row.known, await readPending(sql, sealer, key), row.wanted)
  if (course.complaints.length > 0) return { kind: 'refused', reason: saying(course.complaints) }
  const { buckets } = await follow(sql, sealer, key, row, course)
  return { kind: 'revived', buckets }
}
