import { z } from 'zod'
import { sweepNow } from '../../flow/reconcile/sweeps.js'
import type { Prisma } from '../../platform/database/generated/client.js'
import { idCursor, limit, newestFirst, olderThan, pageById } from './lists.js'
import { noBody, none, ok, type Route, route } from './route.js'
import { given, timeOf } from './shapes.js'
import { oneOf, text } from './values.js'

const permissions = ['unknown', 'readable', 'unreadable'] as const

const columns = {
  id: true,
  appId: true,
  tenantKey: true,
  permission: true,
  reason: true,
  askedAt: true,
  dueAt: true,
  error: true,
  sweptUntil: true,
  progress: true,
  counts: true,
  finishedAt: true,
} as const satisfies Prisma.SweepSelect

function show(row: Prisma.SweepGetPayload<{ select: typeof columns }>): object {
  return {
    app_id: row.appId,
    tenant_key: row.tenantKey,
    permission: row.permission,
    ...given('reason', row.reason),
    ...given('asked_at', timeOf(row.askedAt)),
    running: row.progress !== null,
    due_at: timeOf(row.dueAt),
    ...given('last_error', row.error),
    ...given('swept_until', timeOf(row.sweptUntil)),
    ...given('finished_at', timeOf(row.finishedAt)),
    ...given('counts', row.counts),
  }
}

const listSweeps = route({
  method: 'GET',
  path: '/v1/sweeps',
  summary: 'Whose orders in Feishu are compared with those here, whether they can be read, and when they were',
  scopes: ['read'],
  status: 200,
  params: none,
  query: z.object({
    permission: oneOf(permissions).optional(),
    app_id: text.optional(),
    tenant_key: text.optional(),
    limit,
    cursor: idCursor.optional(),
  }),
  body: noBody,
  run: async ({ database }, { query }) => {
    const where: Prisma.SweepWhereInput = {
      ...given('permission', query.permission),
      ...given('appId', query.app_id),
      ...given('tenantKey', query.tenant_key),
      ...olderThan(query.cursor),
    }
    const find = { where, select: columns, ...newestFirst(query.limit) }
    return pageById(await database.prisma.sweep.findMany(find), query.limit, show)
  },
})

const runSweeps = route({
  method: 'POST',
  path: '/v1/sweeps/run',
  summary: 'Compares now: every tenant, or those of one app or tenant; tenants that could not be read are asked anew',
  scopes: ['operate'],
  status: 202,
  params: none,
  query: none,
  body: z.strictObject({ tenant_key: text.optional(), app_id: text.optional() }).default({}),
  run: async ({ database }, { body }) => {
    const which = {
      ...given('appId', body.app_id),
      ...given('tenantKey', body.tenant_key),
    }
    return ok({ due: await database.transaction((sql) => sweepNow(sql, which)) })
  },
})

export const sweepRoutes: readonly Route[] = [listSweeps, runSweeps]
