import { z } from 'zod'
import type { OrderState } from '../../flow/map.js'
import { pollNow } from '../../flow/orders/nudge.js'
import type { Prisma } from '../../platform/database/generated/client.js'
import { behind, cut, limit, page, timeCursor } from './lists.js'
import { orderColumns, showOrder, showOrders, showWholeOrder } from './order-shape.js'
import { problem } from './problems.js'
import { noBody, none, okOrUnknown, type Route, route } from './route.js'
import { given } from './shapes.js'
import { feishuId, oneOf, text } from './values.js'

const states = [
  'received',
  'ordered',
  'in_progress',
  'reported',
  'completed',
  'canceled',
  'failed',
] as const satisfies OrderState[]

const params = z.object({ background_check_id: feishuId })

const listOrders = route({
  method: 'GET',
  path: '/v1/orders',
  summary:
    'Orders; attention: a flag, or true for any and false for none; q: an id of Feishu or the vendor, or how one begins',
  scopes: ['read'],
  status: 200,
  params: none,
  query: z.object({
    state: oneOf(states).optional(),
    account_id: text.optional(),
    tenant_key: text.optional(),
    attention: text.optional(),
    q: text.optional(),
    limit,
    cursor: timeCursor.optional(),
  }),
  body: noBody,
  run: async (parts, { query }) => {
    const where: Prisma.OrderWhereInput = {
      ...given('state', query.state),
      ...given('accountId', query.account_id),
      ...given('tenantKey', query.tenant_key),
      ...(query.attention !== undefined && { attention: flagged(query.attention) }),
      AND: [beginsWith(query.q), behind(query.cursor, 'backgroundCheckId')],
    }
    const orderBy: Prisma.OrderOrderByWithRelationInput[] = [{ createdAt: 'desc' }, { backgroundCheckId: 'asc' }]
    const find = { where, orderBy, select: orderColumns, take: query.limit + 1 }
    const { rows, last } = cut(await parts.database.prisma.order.findMany(find), query.limit)
    return page(await showOrders(parts, rows), last && [last.createdAt.getTime(), last.backgroundCheckId])
  },
})

function flagged(attention: string): Prisma.StringNullableListFilter {
  if (attention === 'true' || attention === 'false') return { isEmpty: attention === 'false' }
  return { has: attention }
}

/** Prisma leaves the wildcards of LIKE in what it is given. */
function beginsWith(q: string | undefined): Prisma.OrderWhereInput {
  if (q === undefined) return {}
  const startsWith = q.replaceAll(/[\\%_]/g, String.raw`\$&`)
  return { OR: [{ backgroundCheckId: { startsWith } }, { vendorOrderId: { startsWith } }] }
}

const readOrder = route({
  method: 'GET',
  path: '/v1/orders/{background_check_id}',
  summary: 'One order with its timeline and deliveries',
  scopes: ['read'],
  status: 200,
  params,
  query: none,
  body: noBody,
  run: async (parts, { params: { background_check_id: id } }) => okOrUnknown(await showWholeOrder(parts, id)),
})

const pollOrder = route({
  method: 'POST',
  path: '/v1/orders/{background_check_id}/poll',
  summary: 'Asks the vendor for an order now',
  scopes: ['operate'],
  status: 202,
  params,
  query: none,
  body: noBody,
  run: async (parts, { params: { background_check_id: id } }) => {
    const polled = await parts.database.transaction((sql) => pollNow(sql, id))
    if (polled) parts.hints.send('poll')
    const order = await showOrder(parts, id)
    if (order === null || polled) return okOrUnknown(order)
    return problem('order-not-polled', 'the vendor has not taken the order yet, or the order is over')
  },
})

export const orderRoutes: readonly Route[] = [listOrders, readOrder, pollOrder]
