import { z } from 'zod'
import type { Parts } from '../../app.js'
import { retryEvent } from '../../flow/inbox/retry.js'
import type { Prisma } from '../../platform/database/generated/client.js'
import { idCursor, limit, newestFirst, olderThan, pageById } from './lists.js'
import { problem } from './problems.js'
import { noBody, none, okOrUnknown, type Route, route, unknownId } from './route.js'
import { given, timeOf } from './shapes.js'
import { oneOf, rowId, text } from './values.js'

const states = ['new', 'done', 'ignored', 'failed'] as const

const columns = {
  id: true,
  appId: true,
  eventId: true,
  type: true,
  tenantKey: true,
  createTime: true,
  receivedAt: true,
  state: true,
  dueAt: true,
  attempts: true,
  error: true,
  settledAt: true,
} as const satisfies Prisma.EventSelect

function show(row: Prisma.EventGetPayload<{ select: typeof columns }>): object {
  return {
    id: String(row.id),
    event_id: row.eventId,
    app_id: row.appId,
    tenant_key: row.tenantKey,
    type: row.type,
    state: row.state,
    attempts: row.attempts,
    ...given('error', row.error),
    create_time: row.createTime,
    received_at: timeOf(row.receivedAt),
    ...given('next_attempt_at', timeOf(row.dueAt)),
    ...given('settled_at', timeOf(row.settledAt)),
  }
}

const listEvents = route({
  method: 'GET',
  path: '/v1/events',
  summary: 'Events that Feishu pushed, without their contents',
  scopes: ['read'],
  status: 200,
  params: none,
  query: z.object({
    state: oneOf(states).optional(),
    type: text.optional(),
    limit,
    cursor: idCursor.optional(),
  }),
  body: noBody,
  run: async ({ database }, { query }) => {
    const where: Prisma.EventWhereInput = {
      ...given('state', query.state),
      ...given('type', query.type),
      ...olderThan(query.cursor),
    }
    const find = { where, select: columns, ...newestFirst(query.limit) }
    return pageById(await database.prisma.event.findMany(find), query.limit, show)
  },
})

const retry = route({
  method: 'POST',
  path: '/v1/events/{id}/retry',
  summary: 'Processes a failed event again',
  scopes: ['operate'],
  status: 202,
  params: z.object({ id: rowId }),
  query: none,
  body: noBody,
  run: async (parts, { params: { id } }) => {
    const retried = await parts.database.transaction((sql) => retryEvent(sql, id))
    if (retried === 'unknown') return unknownId
    if (retried === 'not_failed') return problem('event-not-failed', 'only an event that failed can be processed again')
    if (retried === 'erased') return problem('erased', 'the contents of the event are not kept any more')
    parts.hints.send('inbox')
    return readEvent(parts, id)
  },
})

async function readEvent({ database }: Parts, id: bigint) {
  const row = await database.prisma.event.findUnique({ where: { id }, select: columns })
  return okOrUnknown(row && show(row))
}

export const eventRoutes: readonly Route[] = [listEvents, retry]
