import { z } from 'zod'
import type { Parts } from '../../app.js'
import type { DeadClass, DeliveryState } from '../../flow/map.js'
import { keyOfOrder } from '../../flow/orders/keys.js'
import { openBody, openOtherBody } from '../../flow/outbox/bodies.js'
import { familyOf, restoredApi } from '../../flow/outbox/buckets.js'
import { feishuApis, isRead } from '../../flow/to-feishu/apis.js'
import type { Prisma } from '../../platform/database/generated/client.js'
import { masked } from './masking.js'
import { documented, given, listed, ownId, time, timeOf } from './shapes.js'

/** What of a delivery is read for an answer. */
export const deliveryColumns = {
  id: true,
  lane: true,
  api: true,
  appId: true,
  tenantKey: true,
  backgroundCheckId: true,
  state: true,
  deadClass: true,
  confirmed: true,
  attempts: true,
  lastError: true,
  bodySealed: true,
  createdAt: true,
  dueAt: true,
  settledAt: true,
} as const satisfies Prisma.DeliverySelect

export const deliveryStates = [
  'pending',
  'sending',
  'delivered',
  'superseded',
  'dead',
] as const satisfies DeliveryState[]
export const deadClasses = ['customer', 'vendor', 'feishu', 'ours', 'unconfirmed'] as const satisfies DeadClass[]
export const apis = feishuApis.filter((api) => !isRead(api))

const lastError = z.object({
  code: z.number().nullable().default(null),
  http_status: z.number().nullable().default(null),
  log_id: z.string().nullable().default(null),
  class: z.string().nullable().default(null),
  /** From this service's own table of outcomes. */
  reason: z.string().default(''),
})

const holdOfDelivery = z
  .object({ id: ownId, scope: z.string(), reason: z.string(), code: z.number().nullable(), created_at: time })
  .meta({ description: 'What parks it' })

export const delivery = z
  .object({
    id: ownId,
    api: listed(apis),
    app_id: z.string(),
    tenant_key: z.string(),
    background_check_id: z.string().optional(),
    agreement_id: z.string().optional().meta({ description: 'The agreement that a create made or found' }),
    state: listed(deliveryStates),
    class: listed(deadClasses).optional().meta({ description: 'Who can mend a dead one' }),
    confirmed: z.boolean().meta({ description: "False where Feishu's yes was inferred" }),
    attempts: z.int(),
    last_error: z
      .unknown()
      .optional()
      .meta({ ...documented(lastError), description: 'Of the last attempt: codes, never values' }),
    hold: holdOfDelivery.optional(),
    request: z
      .unknown()
      .meta({ type: ['object', 'null'], description: 'What Feishu gets, masked unless revealed; null once erased' }),
    created_at: time,
    next_attempt_at: time.optional(),
    delivered_at: time.optional(),
  })
  .meta({ id: 'Delivery', description: 'What was, is or could not be sent to Feishu' })

export type Delivery = z.output<typeof delivery>

type Row = Prisma.DeliveryGetPayload<{ select: typeof deliveryColumns }>
type HoldRow = Prisma.HoldGetPayload<object>

/** The deliveries of one answer, with three queries more however many there are. */
export async function showDeliveries(parts: Parts, rows: readonly Row[], reveal = false): Promise<Delivery[]> {
  const [holds, keys, agreements] = await Promise.all([
    openHolds(parts, rows),
    dataKeys(parts, rows),
    agreementIds(parts, rows),
  ])
  return rows.map((row) => {
    const request = openRequest(parts, row, keys)
    return {
      id: String(row.id),
      api: row.api,
      app_id: row.appId,
      tenant_key: row.tenantKey,
      ...given('background_check_id', row.backgroundCheckId),
      ...given('agreement_id', agreements.get(row.id)),
      state: row.state,
      ...given('class', row.deadClass),
      confirmed: row.confirmed,
      attempts: row.attempts,
      ...given('last_error', lastErrorOf(row)),
      ...given('hold', holdOf(row, holds)),
      request: reveal ? request : masked(request),
      created_at: timeOf(row.createdAt),
      ...given('next_attempt_at', row.state === 'pending' ? timeOf(row.dueAt) : null),
      ...given('delivered_at', row.state === 'delivered' ? timeOf(row.settledAt) : null),
    }
  })
}

/** The agreements that creates made or found. */
async function agreementIds({ database }: Parts, rows: readonly Row[]): Promise<ReadonlyMap<bigint, string>> {
  const ids = rows.filter((row) => row.api === 'tripartite_agreements.create').map((row) => row.id)
  if (ids.length === 0) return new Map()
  const found = await (await database.prisma()).agreementCreation.findMany({ where: { deliveryId: { in: ids } } })
  return new Map(found.map(({ deliveryId, agreementId }) => [deliveryId, agreementId]))
}

async function openHolds({ database }: Parts, rows: readonly Row[]): Promise<HoldRow[]> {
  const waiting = rows.filter((row) => row.state === 'pending')
  if (waiting.length === 0) return []
  return (await database.prisma()).hold.findMany({
    where: {
      releasedAt: null,
      appId: { in: [...new Set(waiting.map((row) => row.appId))] },
      tenantKey: { in: ['', ...new Set(waiting.map((row) => row.tenantKey))] },
    },
    orderBy: { id: 'asc' },
  })
}

function holdOf(row: Row, holds: readonly HoldRow[]): Delivery['hold'] {
  if (row.state !== 'pending') return undefined
  const found = holds.find(
    (each) =>
      each.appId === row.appId &&
      ['', row.tenantKey].includes(each.tenantKey) &&
      ['', restoredApi, row.api, familyOf(row.api)].includes(each.api),
  )
  if (found === undefined) return undefined
  const { id, scope, reason, code, createdAt } = found
  return { id: String(id), scope, reason, code, created_at: timeOf(createdAt) }
}

type DataKeys = ReadonlyMap<string, Uint8Array | null>

async function dataKeys({ database }: Parts, rows: readonly Row[]): Promise<DataKeys> {
  const ids = [...new Set(rows.flatMap((row) => row.backgroundCheckId ?? []))]
  if (ids.length === 0) return new Map()
  const orders = await (await database.prisma()).order.findMany({
    where: { backgroundCheckId: { in: ids } },
    select: { backgroundCheckId: true, dataKey: true },
  })
  return new Map(orders.map((order) => [order.backgroundCheckId, order.dataKey]))
}

/** `null` once it is erased, or where its key is not among the configured ones any more. */
function openRequest({ sealer, log }: Parts, row: Row, keys: DataKeys): object | null {
  const { lane, api, backgroundCheckId: id, bodySealed } = row
  const wrapped = id === null ? null : keys.get(id)
  if (bodySealed === null || (id !== null && !wrapped)) return null
  const sealed = Buffer.from(bodySealed)
  try {
    if (id === null || !wrapped) return openOtherBody(sealer, lane, api, sealed).body
    return openBody(keyOfOrder(sealer, id, Buffer.from(wrapped)), lane, api, sealed).body
  } catch (failure) {
    // One row that does not open must not hide its neighbours, nor its own state.
    log.warn({ event: 'delivery.unreadable', delivery_id: String(row.id), err: failure }, 'a request does not open')
    return null
  }
}

function lastErrorOf({ lastError: stored, deadClass }: Row): z.output<typeof lastError> | undefined {
  if (stored === null) return undefined
  const error = lastError.parse(stored)
  return { ...error, class: error.class ?? deadClass }
}
