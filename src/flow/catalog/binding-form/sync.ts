import type { Sealer } from '../../../platform/crypto/sealer.js'
import type { Sql } from '../../../platform/database/database.js'
import { type AccountField, laneOfAccountFields } from '../../map.js'
import { lockLane } from '../../outbox/lanes.js'
import { putBehind, readUnsettled, supersedeUntried } from '../../outbox/put-other.js'
import { supersedeDead } from '../../outbox/supersede-dead.js'
import type { Complaint } from '../shapes.js'
import { afterDelivered, type FormCall, type KnownForm } from './known.js'
import { type FormPlan, type FormStep, planForm } from './plan.js'
import { type FormKey, type FormRow, readForm, saveForm } from './rows.js'

export interface FormLine {
  api: FormCall['api']
  summary: string
  irreversible: boolean
}

/** What an operator is told about a form that was asked for. */
export type WantedForm =
  | { kind: 'refused'; complaints: Complaint[] }
  /** It has calls that cannot be undone, and nobody agreed to them; nothing is kept. */
  | { kind: 'irreversible'; plan: FormLine[] }
  | { kind: 'wanted'; plan: FormLine[]; deliveryIds: string[] }

export interface FormWish {
  fields: AccountField[]
  allowIrreversible: boolean
  dryRun: boolean
}

/** An operator says which form customers of a tenant fill in when they bind the vendor. */
export async function wantForm(sql: Sql, sealer: Sealer, key: FormKey, wish: FormWish): Promise<WantedForm> {
  await lockLane(sql, laneOfAccountFields(key.appId, key.tenantKey))
  const row = await readForm(sql, key)
  const pending = await readPending(sql, sealer, key)
  const course = courseTo(row.known, pending, wish.fields)
  if (course.complaints.length > 0) return { kind: 'refused', complaints: course.complaints }
  const plan = course.steps.map(({ content, summary, irreversible }) => ({ api: content.api, summary, irreversible }))
  if (!wish.allowIrreversible && plan.some((line) => line.irreversible)) return { kind: 'irreversible', plan }
  if (wish.dryRun) return { kind: 'wanted', plan, deliveryIds: [] }
  const { ids } = await follow(sql, sealer, key, { ...row, wanted: wish.fields }, course)
  return { kind: 'wanted', plan, deliveryIds: ids }
}

export interface Pending {
  id: string
  call: FormCall
  tried: boolean
}

export interface Course extends FormPlan {
  kept: readonly Pending[]
  supersedes: boolean
}

export async function readPending(sql: Sql, sealer: Sealer, { appId, tenantKey }: FormKey): Promise<Pending[]> {
  const unsettled = await readUnsettled(sql, sealer, laneOfAccountFields(appId, tenantKey))
  return unsettled.flatMap(({ id, content, attempted }) =>
    isFormCall(content) ? [{ id, call: content, tried: attempted }] : [],
  )
}

export function isFormCall(content: { api: string; body: object }): content is FormCall {
  return content.api.startsWith('account_custom_fields.')
}

/** What is pending is kept where it leads there; else what was tried is, as if it succeeded. */
export function courseTo(known: KnownForm, pending: readonly Pending[], wanted: AccountField[]): Course {
  const onTop = planForm(fold(known, pending), wanted)
  if (onTop.steps.length + onTop.complaints.length === 0) return { ...onTop, kept: pending, supersedes: false }
  const tried = pending.filter((each) => each.tried)
  return { ...planForm(fold(known, tried), wanted), kept: tried, supersedes: true }
}

/** Lays the lane as a course says, and keeps the row. */
export async function follow(
  sql: Sql,
  sealer: Sealer,
  { appId, tenantKey }: FormKey,
  row: FormRow,
  { kept, supersedes, steps }: Course,
): Promise<{ ids: string[]; buckets: number[] }> {
  const lane = laneOfAccountFields(appId, tenantKey)
  if (supersedes) await supersedeUntried(sql, lane)
  await supersedeDead(sql, lane)
  const put = await putBehind(sql, sealer, { lane, appId, tenantKey, accountId: null }, steps.map(contentOf))
  const state = kept.length + steps.length > 0 ? 'syncing' : 'in_step'
  await saveForm(sql, { appId, tenantKey }, { ...row, state, failure: null })
  return { ids: [...kept.map((each) => each.id), ...put.ids], buckets: put.buckets }
}

function contentOf({ content }: FormStep): { content: FormCall } {
  return { content }
}

function fold(known: KnownForm, pending: readonly Pending[]): KnownForm {
  return pending.reduce((before, { call }) => afterDelivered(before, call), known)
}
