import type { Parts } from '../../app.js'
import type { Prisma } from '../../platform/database/generated/client.js'
import { deliveryColumns, showDeliveries } from './delivery-shape.js'
import { failureOf, timeOf } from './shapes.js'

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
} as const satisfies Prisma.OrderSelect

type Row = Prisma.OrderGetPayload<{ select: typeof orderColumns }>

/** The orders of one answer, with one query more however many there are. */
export async function showOrders({ database }: Parts, rows: readonly Row[]): Promise<object[]> {
  const polls = await database.prisma.pollSchedule.findMany({
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
  }))
}

export async function showOrder(parts: Parts, backgroundCheckId: string): Promise<object | null> {
  const { prisma } = parts.database
  const row = await prisma.order.findUnique({ where: { backgroundCheckId }, select: orderColumns })
  return row === null ? null : ((await showOrders(parts, [row]))[0] ?? null)
}

/** An order with all that happened to it, oldest first, and its deliveries in the order in which they are sent. */
export async function showWholeOrder(parts: Parts, backgroundCheckId: string): Promise<object | null> {
  const { prisma } = parts.database
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
