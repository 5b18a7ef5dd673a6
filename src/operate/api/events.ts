import { z } from 'zod'
import type { Parts } from '../../app.js'
import { type Retried, retryEvent } from '../../flow/inbox/retry.js'
import type { Prisma } from '../../platform/database/generated/client.js'
import { idCursor, limit, listOf, newestFirst, olderThan, pageById } from './lists.js'
import { ofEvent } from './looks.js'
import { problem } from './problems.js'
import { noBody, none, okOrUnknown, type Route, route, unknownId } from './route.js'
import { given, listed, ownId, time, timeOf } from './shapes.js'
import { oneOf, rowId, text } from './values.js'

export const eventStates = ['new', 'done', 'ignored', 'failed'] as const

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

export const event = z
  .object({
    id: ownId,
    event_id: z.string(),
    app_id: z.string(),
    tenant_key: z.string(),
    type: z.string(),
    state: listed(eventStates),
    attempts: z.int(),
    error: z.string().optional(),
    create_time: z.string().meta({ description: 'As Feishu wrote it' }),
    received_at: time,
    next_attempt_at: time.optional(),
    settled_at: time.optional(),
  })
  .meta({ id: 'Event', description: 'An event that Feishu pushed, without its contents' })

export type Event = z.output<typeof event>

function show(row: Prisma.EventGetPayload<{ select: typeof columns }>): z.output<typeof event> {
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
  id: 'events.list',
  method: 'GET',
  path: '/v1/events',
  summary: 'Events that Feishu pushed, without their contents',
  scopes: ['read'],
  status: 200,
  params: none,
  query: z.object({
    state: oneOf(eventStates).optional(),
    type: text.optional(),
    limit,
    cursor: idCursor.optional(),
  }),
  body: noBody,
  answer: listOf('EventList', event),
  problems: [],
  run: async ({ database }, { query }) => {
    const where: Prisma.EventWhereInput = {
      ...given('state', query.state),
      ...given('type', query.type),
      ...olderThan(query.cursor),
    }
    const find = { where, select: columns, ...newestFirst(query.limit) }
    return pageById(await (await database.prisma()).event.findMany(find), query.limit, show)
  },
})

const retry = route({
  id: 'events.retry',
  method: 'POST',
  path: '/v1/events/{id}/retry',
  summary: 'Processes a failed event again',
  scopes: ['operate'],
  status: 202,
  params: z.object({ id: rowId }),
  query: none,
  body: noBody,
  answer: event,
  problems: ['not-found', 'event-not-failed', 'erased'],
  audit: ofEvent,
  run: async (parts, { params: { id } }, write) => {
    const retried = await write((sql) => retryEvent(sql, id), judge)
    if (retried.kind === 'problem') return retried
    parts.hints.send('inbox')
    return readEvent(parts, id)
  },
})

function judge(retried: Retried) {
  if (retried === 'unknown') return unknownId
  if (retried === 'not_failed') return problem('event-not-failed', 'only an event that failed can be processed again')
  return retried === 'done' ? retried : problem('erased', 'the contents of the event are not kept any more')
}

async function readEvent({ database }: Parts, id: bigint) {
  const row = await (await database.prisma()).event.findUnique({ where: { id }, select: columns })
  return okOrUnknown(row && show(row))
}

export const eventRoutes: readonly Route[] = [listEvents, retry]
