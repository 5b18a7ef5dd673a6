import { z } from 'zod'
import { pollNow } from '../../flow/orders/nudge.js'
import type { Sql } from '../../platform/database/database.js'
import type { Prisma } from '../../platform/database/generated/client.js'
import { answerArchived, findArchived, unlessArchived } from './archived-order.js'
import { behind, cut, limit, listOf, page, timeCursor } from './lists.js'
import { ofOrder } from './looks.js'
import { order, orderColumns, orderStates, showOrder, showOrders, showWholeOrder, wholeOrder } from './order-shape.js'
import { problem } from './problems.js'
import { noBody, none, ok, okOrUnknown, type Route, route, unknownId } from './route.js'
import { given } from './shapes.js'
import { feishuId, oneOf, text } from './values.js'

const params = z.object({ background_check_id: feishuId })

const listOrders = route({
  id: 'orders.list',
  method: 'GET',
  path: '/v1/orders',
  summary: 'Orders',
  scopes: ['read'],
  status: 200,
  params: none,
  query: z.object({
    state: oneOf(orderStates).optional(),
    account_id: text.optional(),
    tenant_key: text.optional(),
    attention: text.optional().meta({ description: 'A flag; `true` for any, `false` for none' }),
    q: text.optional().meta({ description: 'An id of Feishu or the vendor, or how one begins' }),
    limit,
    cursor: timeCursor.optional(),
  }),
  body: noBody,
  answer: listOf('OrderList', order),
  problems: [],
  run: async (parts, { query }) => {
    const where: Prisma.OrderWhereInput = {
      ...given('state', query.state),
      ...given('accountId', query.account_id),
      ...given('tenantKey', query.tenant_key),
      AND: [flagged(query.attention), beginsWith(query.q), behind(query.cursor, 'backgroundCheckId')],
    }
    const orderBy: Prisma.OrderOrderByWithRelationInput[] = [{ createdAt: 'desc' }, { backgroundCheckId: 'asc' }]
    const find = { where, orderBy, select: orderColumns, take: query.limit + 1 }
    const { rows, last } = cut(await (await parts.database.prisma()).order.findMany(find), query.limit)
    if (rows.length === 0 && isWhole(query)) return page(await findArchived(parts, query.q), undefined)
    return page(await showOrders(parts, rows), last && [last.createdAt.getTime(), last.backgroundCheckId])
  },
})

/** The archive is looked into for one id, and not listed: `q` alone, and whole. */
function isWhole(query: { q?: string | undefined }): query is { q: string } {
  const { q, ...others } = query
  const alone = Object.entries(others).every(([name, value]) => name === 'limit' || value === undefined)
  return alone && feishuId.safeParse(q).success
}

/** The index of flagged orders is found by its own condition. */
function flagged(attention: string | undefined): Prisma.OrderWhereInput {
  if (attention === undefined) return {}
  if (attention === 'false') return { attention: { isEmpty: true } }
  const any = { attention: { isEmpty: false } }
  return attention === 'true' ? any : { AND: [any, { attention: { has: attention } }] }
}

/** Prisma leaves the wildcards of LIKE in what it is given. */
function beginsWith(q: string | undefined): Prisma.OrderWhereInput {
  if (q === undefined) return {}
  const startsWith = q.replaceAll(/[\\%_]/g, String.raw`\$&`)
  return { OR: [{ backgroundCheckId: { startsWith } }, { vendorOrderId: { startsWith } }] }
}

const readOrder = route({
  id: 'orders.read',
  method: 'GET',
  path: '/v1/orders/{background_check_id}',
  summary: 'One order with its timeline and deliveries',
  scopes: ['read'],
  status: 200,
  params,
  query: none,
  body: noBody,
  answer: wholeOrder,
  problems: ['not-found'],
  run: async (parts, { params: { background_check_id: id } }) => {
    const living = await showWholeOrder(parts, id)
    return living === null ? answerArchived(parts, id) : ok(living)
  },
})

const pollOrder = route({
  id: 'orders.poll',
  method: 'POST',
  path: '/v1/orders/{background_check_id}/poll',
  summary: 'Asks the vendor for an order now',
  scopes: ['operate'],
  status: 202,
  params,
  query: none,
  body: noBody,
  answer: order,
  problems: ['not-found', 'order-not-polled', 'archived'],
  audit: ofOrder,
  run: async (parts, { params: { background_check_id: id } }, write) => {
    const polled = await write(...unlessArchived(id, (sql) => pollKnown(sql, id), judgePoll))
    if (polled.kind === 'problem') return polled
    parts.hints.send('poll')
    return okOrUnknown(await showOrder(parts, id))
  },
})

async function pollKnown(sql: Sql, id: string): Promise<'polled' | 'not_polled' | 'unknown'> {
  if (await pollNow(sql, id)) return 'polled'
  const known = await sql.query('SELECT 1 FROM orders WHERE background_check_id = $1', [id])
  return known.rowCount === 0 ? 'unknown' : 'not_polled'
}

function judgePoll(polled: 'polled' | 'not_polled' | 'unknown') {
  if (polled === 'polled') return polled
  if (polled === 'unknown') return unknownId
  return problem('order-not-polled', 'the vendor has not taken the order yet, or the order is over')
}

export const orderRoutes: readonly Route[] = [listOrders, readOrder, pollOrder]
