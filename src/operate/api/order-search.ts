import { z } from 'zod'
import { isMobile } from '../../flow/personal-data/contacts.js'
import { findByContact } from '../../flow/personal-data/search.js'
import type { Prisma } from '../../platform/database/generated/client.js'
import { by } from './audited.js'
import { behind, cut, limit, listOf, page, timeCursor } from './lists.js'
import { order, orderColumns, showOrders } from './order-shape.js'
import { none, type Route, route } from './route.js'

const notMobile = 'expected a phone number of 5 to 20 digits, with or without its country code'
const notEmail = 'expected a mail address'

const mobile = z.string(notMobile).max(64, notMobile).refine(isMobile, notMobile)
const email = z
  .string(notEmail)
  .max(320, notEmail)
  .regex(/^\s*[^\s@\p{Cc}\p{Cs}]+@[^\s@\p{Cc}\p{Cs}]+\s*$/u, notEmail)

const wanted = z
  .strictObject({ mobile: mobile.optional(), email: email.optional() }, 'expected an object with mobile or email')
  .refine((body) => (body.mobile === undefined) !== (body.email === undefined), 'expected either mobile or email')

const search = route({
  id: 'orders.search',
  method: 'POST',
  path: '/v1/orders/search',
  summary: 'Orders whose candidate has exactly this phone number or mail address; audited',
  scopes: ['reveal'],
  status: 200,
  onlyReads: true,
  params: none,
  query: z.object({ limit, cursor: timeCursor.optional() }),
  body: wanted,
  answer: listOf('OrderList', order),
  problems: [],
  audit: 'by itself',
  run: async (parts, request) => {
    const { body, query } = request
    const contact =
      body.email === undefined
        ? ({ kind: 'mobile', value: body.mobile ?? '' } as const)
        : ({ kind: 'email', value: body.email } as const)
    const { database, sealer } = parts
    const ids = await database.transaction((sql) => findByContact(sql, sealer, contact, by(request)))
    const where: Prisma.OrderWhereInput = {
      backgroundCheckId: { in: ids },
      AND: [behind(query.cursor, 'backgroundCheckId')],
    }
    const orderBy: Prisma.OrderOrderByWithRelationInput[] = [{ createdAt: 'desc' }, { backgroundCheckId: 'asc' }]
    const find = { where, orderBy, select: orderColumns, take: query.limit + 1 }
    const { rows, last } = cut(await (await database.prisma()).order.findMany(find), query.limit)
    return page(await showOrders(parts, rows), last && [last.createdAt.getTime(), last.backgroundCheckId])
  },
})

export const orderSearchRoutes: readonly Route[] = [search]
