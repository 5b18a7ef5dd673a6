import { z } from 'zod'
import { release } from '../../flow/to-feishu/holds.js'
import { wakePumps } from '../../flow/to-feishu/wake-pumps.js'
import type { Prisma } from '../../platform/database/generated/client.js'
import { idCursor, limit, newestFirst, olderThan, pageById } from './lists.js'
import { problem } from './problems.js'
import { noBody, none, ok, type Route, route, unknownId } from './route.js'
import { given, timeOf } from './shapes.js'
import { oneOf, rowId } from './values.js'

function show(row: Prisma.HoldGetPayload<object>): object {
  return {
    id: String(row.id),
    scope: row.scope,
    app_id: row.appId,
    ...given('tenant_key', row.tenantKey === '' ? null : row.tenantKey),
    ...given('api', row.api === '' ? null : row.api),
    reason: row.reason,
    ...given('code', row.code),
    created_at: timeOf(row.createdAt),
    ...given('released_at', timeOf(row.releasedAt)),
  }
}

const listHolds = route({
  method: 'GET',
  path: '/v1/holds',
  summary: 'What is parked; state=released: what was',
  scopes: ['read'],
  status: 200,
  params: none,
  query: z.object({ state: oneOf(['open', 'released']).default('open'), limit, cursor: idCursor.optional() }),
  body: noBody,
  run: async ({ database }, { query }) => {
    const where: Prisma.HoldWhereInput = {
      releasedAt: query.state === 'open' ? null : { not: null },
      ...olderThan(query.cursor),
    }
    const find = { where, ...newestFirst(query.limit) }
    return pageById(await database.prisma.hold.findMany(find), query.limit, show)
  },
})

const releaseHold = route({
  method: 'POST',
  path: '/v1/holds/{id}/release',
  summary: 'Lets what a hold parks go on',
  scopes: ['operate'],
  status: 202,
  params: z.object({ id: rowId }),
  query: none,
  body: noBody,
  run: async ({ database, hints }, { params }) => {
    const buckets = await database.transaction((sql) => release(sql, params.id))
    const row = await database.prisma.hold.findUnique({ where: params })
    if (row === null) return unknownId
    if (buckets === null) return problem('hold-released', 'nothing is parked by this hold any more')
    wakePumps(hints, buckets)
    return ok(show(row))
  },
})

export const holdRoutes: readonly Route[] = [listHolds, releaseHold]
