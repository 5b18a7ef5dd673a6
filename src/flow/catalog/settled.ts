import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { type DeadClass, laneOfAccount } from '../map.js'
import type { LaneKeeper, OtherDelivery, SettledOther } from '../outbox/keepers.js'
import { supersedeUntried } from '../outbox/put-other.js'
import type { Revived } from '../outbox/revive.js'
import { type Facts, factsOf } from './facts.js'
import { afterDelivered, afterLost, afterRefused, afterReplaced, type Known } from './known.js'
import { type CatalogLane, courseTo, divide, follow, isCatalogCall, readPending } from './lane.js'
import { type CatalogRow, type Failure, readRow, saveRow } from './rows.js'
import { type CatalogCall, saying } from './shapes.js'

const prefix = 'account:'

/**
 * Keeps the lanes of accounts: what a call's end means for what Feishu is known to hold. When one dies, what waits
 * behind it goes and the catalog is `failed`, until somebody asks again. When the lane is empty and something is still
 * to be done, it goes on by itself.
 */
export function catalogKeeper(sealer: Sealer): LaneKeeper {
  return {
    prefix,
    settled: async (sql, deliveries) => {
      for (const lane of new Set(deliveries.map((each) => each.lane))) {
        await settleLane(
          sql,
          sealer,
          deliveries.filter((each) => each.lane === lane),
        )
      }
    },
    revive: (sql, dead) => revive(sql, sealer, dead),
  }
}

interface Learned {
  known: Known
  /** Feishu holds less than was believed: what waits was planned on that belief. */
  surprised: boolean
  /** The one that died, with what to do about it. */
  failure: Failure | null
}

async function settleLane(sql: Sql, sealer: Sealer, deliveries: readonly SettledOther[]): Promise<void> {
  const [first] = deliveries
  if (first === undefined) return
  const lane = laneOf(first)
  const row = await readRow(sql, lane.accountId)
  const facts = await factsOf(sql, deliveries)
  const { known, surprised, failure } = deliveries.reduce<Learned>(
    (before, delivery) => learn(before, delivery, facts.get(delivery.id)),
    { known: row.known, surprised: false, failure: null },
  )
  if (surprised || failure !== null) await supersedeUntried(sql, first.lane)
  if (failure === null) return goOn(sql, sealer, lane, { ...row, known })
  await saveRow(sql, lane.accountId, { ...row, known, state: 'failed', failure })
}

async function goOn(sql: Sql, sealer: Sealer, lane: CatalogLane, row: CatalogRow): Promise<void> {
  const pending = await readPending(sql, sealer, lane.accountId)
  if (row.wanted === null || row.state === 'failed') return saveRow(sql, lane.accountId, row)
  const course = courseTo(lane.accountId, row.known, pending, row.wanted)
  if (course.complaints.length > 0) {
    await supersedeUntried(sql, laneOfAccount(lane.accountId))
    return saveRow(sql, lane.accountId, { ...row, state: 'failed', failure: outOfReach(saying(course.complaints)) })
  }
  // Mostly nothing is left to put: what was planned is still the way.
  const { row: then } = await follow(sql, sealer, lane, row, course)
  await saveRow(sql, lane.accountId, then)
}

function learn(before: Learned, delivery: SettledOther, facts: Facts | undefined): Learned {
  const { content: call, state } = delivery
  if (!isCatalogCall(call) || state === 'superseded') return before
  if (state === 'delivered') return { ...before, known: afterDelivered(before.known, call) }
  const failure = failureOf(call, delivery.class, facts)
  const isLost = facts?.ambiguous === true || delivery.class === 'unconfirmed'
  if (isLost) return { ...before, known: afterLost(before.known, call), failure }
  // What Feishu itself refuses is of the class vendor (outcome-rows.ts); other ends say nothing about what is there.
  const isRefusedUpdate = call.api === 'packages.batch_update' && delivery.class === 'vendor'
  const replaced = isRefusedUpdate ? afterReplaced(before.known) : null
  if (replaced !== null) return { ...before, known: replaced, surprised: true }
  return { ...before, known: afterRefused(before.known, call), failure }
}

function failureOf({ api }: CatalogCall, deadClass: DeadClass | null, facts: Facts | undefined): Failure {
  const reason = facts?.reason ?? 'its delivery is dead'
  return {
    class: deadClass ?? 'ours',
    message: `${api}: ${reason}`,
    action:
      'mend the cause, then send the delivery again or put the catalog again: either goes on from where this ended',
  }
}

function outOfReach(complaints: string): Failure {
  return { class: 'vendor', message: `Feishu cannot get there any more: ${complaints}`, action: 'put another catalog' }
}

/** A dead call is not sent as it was: what is wanted is planned anew, from what is known now. */
async function revive(sql: Sql, sealer: Sealer, dead: OtherDelivery): Promise<Revived> {
  const lane = laneOf(dead)
  const row = await readRow(sql, lane.accountId)
  if (row.wanted === null) return { kind: 'refused', reason: 'nobody has said what the catalog should be' }
  const pending = await readPending(sql, sealer, lane.accountId)
  const course = courseTo(lane.accountId, row.known, pending, row.wanted)
  if (course.complaints.length > 0) return { kind: 'refused', reason: saying(course.complaints) }
  const { now, withheld } = divide(course.steps, row.allowed)
  if (now.length === 0 && withheld.length > 0) {
    return { kind: 'refused', reason: 'what is left cannot be undone: put the catalog with allow_irreversible' }
  }
  const { row: then, buckets } = await follow(sql, sealer, lane, row, course)
  await saveRow(sql, lane.accountId, then)
  return { kind: 'revived', buckets }
}

function laneOf({ lane, appId, tenantKey }: OtherDelivery): CatalogLane {
  return { accountId: lane.slice(prefix.length), appId, tenantKey }
}
