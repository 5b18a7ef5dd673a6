import { isDeepStrictEqual } from 'node:util'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Sql } from '../../platform/database/database.js'
import { laneOfAccount, type OrderField } from '../map.js'
import { lockLane } from '../outbox/lanes.js'
import {
  type CatalogLane,
  type Course,
  courseTo,
  divide,
  fold,
  follow,
  isDelete,
  linesOf,
  type Pending,
  type PlanLine,
  readPending,
} from './lane.js'
import { readRelabeling } from './relabel.js'
import { type CatalogRow, readRow, saveRow } from './rows.js'
import type { Catalog, Complaint, Read } from './shapes.js'

/** What an operator is told about a catalog that was asked for. */
export type Wanted =
  | { kind: 'unknown_account' }
  /** Feishu would not take it; nothing is kept. */
  | { kind: 'refused'; complaints: Complaint[] }
  /** It has calls that cannot be undone, and nobody agreed to them; nothing is kept. */
  | { kind: 'irreversible'; plan: PlanLine[] }
  /** All calls on the way, those under way included. A dry run has no ids and keeps nothing. */
  | { kind: 'wanted'; plan: PlanLine[]; deliveryIds: string[]; buckets: number[] }

export interface Wish {
  catalog: Partial<Catalog>
  allowIrreversible: boolean
  /** Packages may be there that this service did not create: Feishu is asked before they are. */
  adopt: boolean
  dryRun: boolean
}

/** An operator says how packages, items and fields of an account should be; a list that is left out stays as it is. */
export async function wantCatalog(sql: Sql, sealer: Sealer, accountId: string, wish: Wish): Promise<Wanted> {
  const open = await openCatalog(sql, sealer, accountId)
  if (open === null) return { kind: 'unknown_account' }
  const wanted = { ...wantedNow(open), ...wish.catalog }
  const allowed = wish.allowIrreversible || (open.row.allowed && isDeepStrictEqual(wanted, open.row.wanted))
  const direct = courseTo(accountId, open.row.known, open.pending, wanted)
  const course = wish.adopt ? askingFirst(direct) : direct
  if (course.complaints.length > 0) return { kind: 'refused', complaints: course.complaints }
  const plan = linesOf(open.row.known, course)
  if (!allowed && needsWord(course)) return { kind: 'irreversible', plan }
  if (wish.dryRun) return { kind: 'wanted', plan, deliveryIds: [], buckets: [] }
  const { ids, buckets } = await go(sql, sealer, open, { ...open.row, wanted, allowed, wantedBy: 'operator' }, course)
  return { kind: 'wanted', plan, deliveryIds: ids, buckets }
}

/**
 * New names and descriptions for all order form fields, in their order. What waits for an operator's word about other
 * lists keeps waiting.
 */
export async function relabelFields(sql: Sql, sealer: Sealer, accountId: string, value: unknown): Promise<Wanted> {
  const open = await openCatalog(sql, sealer, accountId)
  if (open === null) return { kind: 'unknown_account' }
  const relabeling: Read<OrderField[]> = readRelabeling(heldSoon(open).custom_fields, value)
  if (relabeling.kind === 'misfit') return { kind: 'refused', complaints: relabeling.complaints }
  const wanted = { ...wantedNow(open), custom_fields: relabeling.value }
  const course = courseTo(accountId, open.row.known, open.pending, wanted)
  if (course.complaints.length > 0) return { kind: 'refused', complaints: course.complaints }
  const { now } = divide(course.steps, open.row.allowed)
  const { ids, buckets } = await go(sql, sealer, open, { ...open.row, wanted, wantedBy: 'operator' }, course)
  return {
    kind: 'wanted',
    plan: linesOf(open.row.known, { ...course, steps: [...now] }),
    deliveryIds: ids,
    buckets,
  }
}

/** An account's row and lane, held until the transaction ends. */
export interface OpenCatalog {
  lane: CatalogLane
  row: CatalogRow
  pending: Pending[]
}

/** `null`: there is no such account. Locks go lane, then catalog. */
export async function openCatalog(sql: Sql, sealer: Sealer, accountId: string): Promise<OpenCatalog | null> {
  const found = await sql.query<{ app_id: string; tenant_key: string }>(
    'SELECT app_id, tenant_key FROM accounts WHERE account_id = $1',
    [accountId],
  )
  const account = found.rows[0]
  if (account === undefined) return null
  await lockLane(sql, laneOfAccount(accountId))
  const row = await readRow(sql, accountId)
  const pending = await readPending(sql, sealer, accountId)
  return { lane: { accountId, appId: account.app_id, tenantKey: account.tenant_key }, row, pending }
}

/** Puts what a course asks for, and keeps the row. */
export async function go(
  sql: Sql,
  sealer: Sealer,
  { lane }: OpenCatalog,
  row: CatalogRow,
  course: Course,
): Promise<{ ids: string[]; buckets: number[] }> {
  const { row: then, ids, buckets } = await follow(sql, sealer, lane, row, course)
  await saveRow(sql, lane.accountId, then)
  return { ids, buckets }
}

/** With all that is pending, as if it succeeded. */
export function heldSoon({ row, pending }: OpenCatalog): Catalog {
  return fold(row.known, pending).held
}

export function wantedNow(open: OpenCatalog): Catalog {
  return open.row.wanted ?? heldSoon(open)
}

/** As after a create without a clear answer; one of fields asks by itself when Feishu has some (contract §3.5). */
function askingFirst(course: Course): Course {
  const steps = course.steps.map((step) =>
    step.content.api === 'packages.create'
      ? { ...step, probe: true, summary: `${step.summary}, unless Feishu has them` }
      : step,
  )
  return { ...course, steps }
}

/** A delete that was tried cannot be stopped any more; one that waits can. */
function needsWord({ kept, steps }: Course): boolean {
  return steps.some((step) => step.irreversible) || kept.some(({ call, tried }) => !tried && isDelete(call))
}
