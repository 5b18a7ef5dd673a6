import { z } from 'zod'
import { addToAudit } from '../../flow/audit.js'
import type { Prisma } from '../../platform/database/generated/client.js'
import { by } from './audited.js'
import { missingScope } from './auth.js'
import { apis, deadClasses, delivery, deliveryColumns, deliveryStates, showDeliveries } from './delivery-shape.js'
import { cut, idCursor, limit, listOf, newestFirst, olderThan, page } from './lists.js'
import { noBody, none, okOrUnknown, type Route, route, unknownId } from './route.js'
import { given } from './shapes.js'
import { flag, oneOf, rowId, text } from './values.js'

const listDeliveries = route({
  id: 'deliveries.list',
  method: 'GET',
  path: '/v1/deliveries',
  summary: 'What was, is and could not be sent to Feishu',
  scopes: ['read'],
  status: 200,
  params: none,
  query: z.object({
    state: oneOf(deliveryStates).optional(),
    class: oneOf(deadClasses).optional(),
    api: oneOf(apis).optional(),
    tenant_key: text.optional(),
    limit,
    cursor: idCursor.optional(),
  }),
  body: noBody,
  answer: listOf('DeliveryList', delivery),
  problems: [],
  run: async (parts, { query }) => {
    const where: Prisma.DeliveryWhereInput = {
      ...given('state', query.state),
      ...given('deadClass', query.class),
      ...given('api', query.api),
      ...given('tenantKey', query.tenant_key),
      ...olderThan(query.cursor),
    }
    const find = { where, select: deliveryColumns, ...newestFirst(query.limit) }
    const { rows, last } = cut(await (await parts.database.prisma()).delivery.findMany(find), query.limit)
    return page(await showDeliveries(parts, rows), last && [String(last.id)])
  },
})

const readDelivery = route({
  id: 'deliveries.read',
  method: 'GET',
  path: '/v1/deliveries/{id}',
  summary: 'One delivery; its request masked, unless it is revealed to a key with the scope reveal',
  scopes: ['read'],
  status: 200,
  params: z.object({ id: rowId }),
  query: z.object({ reveal: flag.optional() }),
  body: noBody,
  answer: delivery,
  problems: ['not-found'],
  run: async (parts, request) => {
    const { params, query, key } = request
    const forbidden = query.reveal ? missingScope(key, ['reveal']) : undefined
    if (forbidden) return forbidden
    const row = await (await parts.database.prisma()).delivery.findUnique({ where: params, select: deliveryColumns })
    if (row === null) return unknownId
    if (query.reveal) {
      const told = { action: 'deliveries.reveal', subject: `delivery:${row.id}`, outcome: 'done' } as const
      await addToAudit(parts.database.pool, [{ ...by(request), ...told }])
      const line = { event: 'audit.reveal', key: key.name, delivery_id: String(row.id) }
      parts.log.info(line, 'a request was revealed to an operator')
    }
    const [shown] = await showDeliveries(parts, [row], query.reveal)
    return okOrUnknown(shown ?? null)
  },
})

export const deliveryRoutes: readonly Route[] = [listDeliveries, readDelivery]
