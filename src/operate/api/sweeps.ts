import { z } from 'zod'
import { sweepNow } from '../../flow/reconcile/sweeps.js'
import type { Prisma } from '../../platform/database/generated/client.js'
import { idCursor, limit, listOf, newestFirst, olderThan, pageById } from './lists.js'
import { ofSweeps } from './looks.js'
import { noBody, none, ok, type Route, route } from './route.js'
import { documented, given, listed, time, timeOf } from './shapes.js'
import { oneOf, text } from './values.js'

const permissions = ['unknown', 'readable', 'unreadable'] as const

const counts = z.record(z.string(), z.int())

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

export const sweep = z
  .object({
    app_id: z.string(),
    tenant_key: z.string(),
    permission: listed(permissions),
    reason: z.string().optional(),
    asked_at: time.optional(),
    running: z.boolean(),
    due_at: time,
    last_error: z.string().optional(),
    swept_until: time.optional(),
    finished_at: time.optional(),
    counts: z
      .unknown()
      .optional()
      .meta({ ...documented(counts), description: 'Of the last whole sweep' }),
  })
  .meta({ id: 'Sweep', description: 'Whose orders in Feishu are compared, and how far they were' })

export type Sweep = z.output<typeof sweep>

function show(row: Prisma.SweepGetPayload<{ select: typeof columns }>): z.output<typeof sweep> {
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
  id: 'sweeps.list',
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
  answer: listOf('SweepList', sweep),
  problems: [],
  run: async ({ database }, { query }) => {
    const where: Prisma.SweepWhereInput = {
      ...given('permission', query.permission),
      ...given('appId', query.app_id),
      ...given('tenantKey', query.tenant_key),
      ...olderThan(query.cursor),
    }
    const find = { where, select: columns, ...newestFirst(query.limit) }
    return pageById(await (await database.prisma()).sweep.findMany(find), query.limit, show)
  },
})

export const sweepsDue = z.object({ due: z.int() }).meta({ id: 'SweepsDue' })

const runSweeps = route({
  id: 'sweeps.run',
  method: 'POST',
  path: '/v1/sweeps/run',
  summary: 'Compares now: every tenant, or those of one app or tenant; tenants that could not be read are asked anew',
  scopes: ['operate'],
  status: 202,
  params: none,
  query: none,
  body: z.strictObject({ tenant_key: text.optional(), app_id: text.optional() }).default({}),
  answer: sweepsDue,
  problems: [],
  audit: ofSweeps,
  run: async (_parts, { body }, write) => {
    const which = {
      ...given('appId', body.app_id),
      ...given('tenantKey', body.tenant_key),
    }
    const due = await write(
      (sql) => sweepNow(sql, which),
      (count) => count,
    )
    return due.kind === 'problem' ? due : ok({ due: due.result })
  },
})

export const sweepRoutes: readonly Route[] = [listSweeps, runSweeps]
