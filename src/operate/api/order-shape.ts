import { z } from 'zod'
import type { Parts } from '../../app.js'
import type { OrderState } from '../../flow/map.js'
import { timelineKinds } from '../../flow/timeline.js'
import type { Prisma } from '../../platform/database/generated/client.js'
import { delivery, deliveryColumns, showDeliveries } from './delivery-shape.js'
import { documented, failure, failureOf, given, listed, time, timeOf } from './shapes.js'

/** What of an order is read for an answer. */
export const orderColumns = {
  backgroundCheckId: true,
  appId: true,
  tenantKey: true,
  accountId: true,
  packageId: true,
  vendorOrderId: true,
  state: true,
  attention: true,
  failure: true,
  createdAt: true,
  updatedAt: true,
  erasedAt: true,
} as const satisfies Prisma.OrderSelect

export const orderStates = [
  'received',
  'ordered',
  'in_progress',
  'reported',
  'completed',
  'canceled',
  'failed',
] as const satisfies OrderState[]

export const order = z
  .object({
    background_check_id: z.string(),
    app_id: z.string(),
    tenant_key: z.string(),
    account_id: z.string().nullable(),
    package_id: z.string().nullable(),
    vendor_order_id: z.string().nullable(),
    state: listed(orderStates),
    attention: z.array(z.string()).meta({ description: 'What a person should look at' }),
    failure: failure.optional(),
    next_poll_at: time.nullable(),
    created_at: time,
    updated_at: time,
    erased_at: time.optional().meta({ description: 'When everything personal was erased' }),
    archived_at: time.optional().meta({ description: 'When it was moved into the archive: it can only be read' }),
  })
  .meta({ id: 'Order', description: 'A background check, as this service knows it' })

const detail = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))

export const wholeOrder = order
  .extend({
    timeline: z
      .array(z.object({ at: time, kind: listed(timelineKinds), detail: z.unknown().meta(documented(detail)) }))
      .meta({ description: 'Oldest first; `detail` holds ids, names of fields and codes' }),
    deliveries: z.array(delivery).meta({ description: 'In the order in which they are sent' }),
  })
  .meta({ id: 'WholeOrder', description: 'An order with all that happened to it' })

export type Order = z.output<typeof order>

type Row = Prisma.OrderGetPayload<{ select: typeof orderColumns }>

/** The orders of one answer, with one query more however many there are. */
export async function showOrders({ database }: Parts, rows: readonly Row[]): Promise<Order[]> {
  const polls = await (await database.prisma()).pollSchedule.findMany({
    where: { backgroundCheckId: { in: rows.map((row) => row.backgroundCheckId) } },
    select: { backgroundCheckId: true, dueAt: true },
  })
  const dueAt = new Map(polls.map((poll) => [poll.backgroundCheckId, poll.dueAt]))
  return rows.map((row) => ({
    background_check_id: row.backgroundCheckId,
    app_id: row.appId,
    tenant_key: row.tenantKey,
    account_id: row.accountId,
    package_id: row.packageId,
    vendor_order_id: row.vendorOrderId,
    state: row.state,
    attention: row.attention,
    ...failureOf(row.failure),
    next_poll_at: timeOf(dueAt.get(row.backgroundCheckId) ?? null),
    created_at: timeOf(row.createdAt),
    updated_at: timeOf(row.updatedAt),
    ...given('erased_at', timeOf(row.erasedAt)),
  }))
}

export async function showOrder(parts: Parts, backgroundCheckId: string): Promise<Order | null> {
  const prisma = await parts.database.prisma()
  const row = await prisma.order.findUnique({ where: { backgroundCheckId }, select: orderColumns })
  return row === null ? null : ((await showOrders(parts, [row]))[0] ?? null)
}

/** An order with all that happened to it, oldest first, and its deliveries in the order in which they are sent. */
export async function showWholeOrder(
  parts: Parts,
  backgroundCheckId: string,
): Promise<z.output<typeof wholeOrder> | null> {
  const prisma = await parts.database.prisma()
  const order = await showOrder(parts, backgroundCheckId)
  if (order === null) return null
  const [timeline, deliveries] = await Promise.all([
    prisma.timelineEntry.findMany({
      where: { backgroundCheckId },
      select: { at: true, kind: true, detail: true },
      orderBy: { id: 'asc' },
    }),
    prisma.delivery.findMany({
      where: { backgroundCheckId },
      select: deliveryColumns,
      orderBy: [{ seq: 'asc' }, { id: 'asc' }],
    }),
  ])
  return {
    ...order,
    timeline: timeline.map(({ at, kind, detail }) => ({ at: timeOf(at), kind, detail })),
    deliveries: await showDeliveries(parts, deliveries),
  }
}
