import { z } from 'zod'
import { release } from '../../flow/to-feishu/holds.js'
import { wakePumps } from '../../flow/to-feishu/wake-pumps.js'
import type { Sql } from '../../platform/database/database.js'
import type { Prisma } from '../../platform/database/generated/client.js'
import { idCursor, limit, listOf, newestFirst, olderThan, pageById } from './lists.js'
import { ofHold } from './looks.js'
import { problem } from './problems.js'
import { noBody, none, okOrUnknown, type Route, route, unknownId } from './route.js'
import { given, ownId, time, timeOf } from './shapes.js'
import { oneOf, rowId } from './values.js'

export const hold = z
  .object({
    id: ownId,
    scope: z.string().meta({ description: '`tenant`, `app`, `method`, `vendor`, `restore`' }),
    app_id: z.string(),
    tenant_key: z.string().optional(),
    api: z.string().optional(),
    reason: z.string(),
    code: z.int().optional().meta({ description: "Feishu's" }),
    created_at: time,
    released_at: time.optional(),
  })
  .meta({ id: 'Hold', description: 'What is parked, why, and since when' })

export type Hold = z.output<typeof hold>

function show(row: Prisma.HoldGetPayload<object>): z.output<typeof hold> {
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
  id: 'holds.list',
  method: 'GET',
  path: '/v1/holds',
  summary: 'What is parked; state=released: what was',
  scopes: ['read'],
  status: 200,
  params: none,
  query: z.object({ state: oneOf(['open', 'released']).default('open'), limit, cursor: idCursor.optional() }),
  body: noBody,
  answer: listOf('HoldList', hold),
  problems: [],
  run: async ({ database }, { query }) => {
    const where: Prisma.HoldWhereInput = {
      releasedAt: query.state === 'open' ? null : { not: null },
      ...olderThan(query.cursor),
    }
    const find = { where, ...newestFirst(query.limit) }
    return pageById(await (await database.prisma()).hold.findMany(find), query.limit, show)
  },
})

const releaseHold = route({
  id: 'holds.release',
  method: 'POST',
  path: '/v1/holds/{id}/release',
  summary: 'Lets what a hold parks go on',
  scopes: ['operate'],
  status: 202,
  params: z.object({ id: rowId }),
  query: none,
  body: noBody,
  answer: hold,
  problems: ['not-found', 'hold-released'],
  audit: ofHold,
  run: async ({ database, hints }, { params }, write) => {
    const released = await write((sql) => releaseKnown(sql, params.id), judge)
    if (released.kind === 'problem') return released
    wakePumps(hints, released.result)
    const row = await (await database.prisma()).hold.findUnique({ where: params })
    return okOrUnknown(row && show(row))
  },
})

type Released = number[] | 'released_before' | 'unknown'

async function releaseKnown(sql: Sql, id: bigint): Promise<Released> {
  const buckets = await release(sql, id)
  if (buckets !== null) return buckets
  return (await sql.query('SELECT 1 FROM holds WHERE id = $1', [id])).rowCount === 0 ? 'unknown' : 'released_before'
}

function judge(released: Released) {
  if (released === 'unknown') return unknownId
  if (released !== 'released_before') return released
  return problem('hold-released', 'nothing is parked by this hold any more')
}

export const holdRoutes: readonly Route[] = [listHolds, releaseHold]
