import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { laneOfAccount } from '../map.js'
import { putBehind, readUnsettled, supersedeUntried } from '../outbox/put-other.js'
import { supersedeDead } from '../outbox/supersede-dead.js'
import type { Step } from './draft.js'
import { afterDelivered, type Known } from './known.js'
import { type Plan, planCatalog } from './plan.js'
import type { CatalogRow } from './rows.js'
import type { Catalog, CatalogCall } from './shapes.js'
import { summaryOf } from './summary.js'

/** An account whose lane the caller holds. */
export interface CatalogLane {
  accountId: string
  appId: string
  tenantKey: string
}

/** A call as people are shown it. */
export interface PlanLine {
  api: CatalogCall['api']
  summary: string
  irreversible: boolean
}

/** A call that is under way, or waits, and is not settled. */
export interface Pending {
  id: string
  call: CatalogCall
  /** Feishu may have seen it: it ends by its own answer. */
  tried: boolean
}

/** Where a lane goes from here: what is kept of it, and what is put behind. */
export interface Course extends Plan {
  kept: readonly Pending[]
  /** What waits and was not tried yet goes. */
  supersedes: boolean
}

export async function readPending(sql: Sql, sealer: Sealer, accountId: string): Promise<Pending[]> {
  const unsettled = await readUnsettled(sql, sealer, laneOfAccount(accountId))
  return unsettled.flatMap(({ id, content, attempted }) => {
    if (!isCatalogCall(content)) return []
    return [{ id, call: content, tried: attempted }]
  })
}

export function isCatalogCall(content: { api: string; body: object }): content is CatalogCall {
  return content.api.startsWith('packages.') || content.api.startsWith('custom_fields.')
}

/**
 * The shorter of two ways: on top of all that is pending, or of what was tried only; both as if it succeeded. The same
 * catalog twice is the first one, with nothing to put.
 */
export function courseTo(accountId: string, known: Known, pending: readonly Pending[], wanted: Catalog): Course {
  const tried = pending.filter((each) => each.tried)
  const onTop = planCatalog(accountId, fold(known, pending), wanted)
  if (tried.length === pending.length) return { ...onTop, kept: pending, supersedes: false }
  const anew = planCatalog(accountId, fold(known, tried), wanted)
  const waiting = pending.length - tried.length
  const isShorter = anew.complaints.length > 0 || onTop.steps.length + waiting <= anew.steps.length
  if (onTop.complaints.length === 0 && isShorter) {
    return { ...onTop, kept: pending, supersedes: false }
  }
  return { ...anew, kept: tried, supersedes: true }
}

export function fold(known: Known, pending: readonly Pending[]): Known {
  return pending.reduce((before, { call }) => afterDelivered(before, call), known)
}

/** What of a plan goes now, and what waits for a word. */
export function divide(steps: readonly Step[], allowed: boolean): { now: readonly Step[]; withheld: readonly Step[] } {
  const first = allowed ? -1 : steps.findIndex((step) => step.irreversible)
  return first < 0 ? { now: steps, withheld: [] } : { now: steps.slice(0, first), withheld: steps.slice(first) }
}

/** Lays the lane as a course says. Answers the row as it then is, ids and buckets. */
export async function follow(
  sql: Sql,
  sealer: Sealer,
  lane: CatalogLane,
  row: CatalogRow,
  course: Course,
): Promise<{ row: CatalogRow; ids: string[]; buckets: number[] }> {
  const name = laneOfAccount(lane.accountId)
  const { now, withheld } = divide(course.steps, row.allowed)
  if (course.supersedes) await supersedeUntried(sql, name)
  await supersedeDead(sql, name)
  const { ids, buckets } = await putBehind(sql, sealer, { ...lane, lane: name }, now)
  const going = course.kept.length + now.length > 0
  const state = withheld.length > 0 ? 'waiting' : going ? 'syncing' : 'in_step'
  return { row: { ...row, state, failure: null }, ids: [...course.kept.map((each) => each.id), ...ids], buckets }
}

/** Kept and put, in the order of the lane. */
export function linesOf(known: Known, { kept, steps }: Course): PlanLine[] {
  const lines: PlanLine[] = []
  let before = known
  for (const { call } of kept) {
    lines.push({ api: call.api, summary: summaryOf(call, before), irreversible: isDelete(call) })
    before = afterDelivered(before, call)
  }
  return [...lines, ...steps.map(({ content, summary, irreversible }) => ({ api: content.api, summary, irreversible }))]
}

export function isDelete({ api }: CatalogCall): boolean {
  return api.endsWith('.batch_delete')
}
