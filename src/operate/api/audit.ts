import { z } from 'zod'
import type { Prisma } from '../../platform/database/generated/client.js'
import { idCursor, limit, listOf, newestFirst, olderThan, pageById } from './lists.js'
import { noBody, none, type Route, route } from './route.js'
import { given, listed, ownId, time, timeOf } from './shapes.js'
import { text } from './values.js'

const snapshot = z.unknown().optional().meta({ type: 'object', description: 'Ids, states and counts' })

export const entry = z
  .object({
    id: ownId,
    at: time,
    actor: z.string().meta({ description: 'The API key, or who used the console or the command line' }),
    via: listed(['api', 'console', 'cli', 'service']),
    action: z.string().meta({ examples: ['orders.cancel'] }),
    subject: z.string().meta({ examples: ['order:7400000000000000202'] }),
    outcome: listed(['done', 'refused']),
    before: snapshot,
    after: snapshot,
    address: z.string().optional().meta({ description: 'Where the request came from' }),
  })
  .meta({ id: 'AuditEntry', description: 'Who did what to what' })

export type AuditLine = z.output<typeof entry>

function show(row: Prisma.AuditEntryGetPayload<object>): z.output<typeof entry> {
  return {
    id: String(row.id),
    at: timeOf(row.at),
    actor: row.actor,
    via: row.via,
    action: row.action,
    subject: row.subject,
    outcome: row.outcome,
    ...given('before', row.before),
    ...given('after', row.after),
    ...given('address', row.address),
  }
}

const listAudit = route({
  id: 'audit.list',
  method: 'GET',
  path: '/v1/audit',
  summary: 'Who did what to what: every write, and every look at personal data',
  scopes: ['read'],
  status: 200,
  params: none,
  query: z.object({
    subject: text.optional(),
    actor: text.optional(),
    action: text.optional(),
    limit,
    cursor: idCursor.optional(),
  }),
  body: noBody,
  answer: listOf('AuditList', entry),
  problems: [],
  run: async ({ database }, { query }) => {
    const where: Prisma.AuditEntryWhereInput = {
      ...given('subject', query.subject),
      ...given('actor', query.actor),
      ...given('action', query.action),
      ...olderThan(query.cursor),
    }
    const find = { where, ...newestFirst(query.limit) }
    return pageById(await (await database.prisma()).auditEntry.findMany(find), query.limit, show)
  },
})

export const auditRoutes: readonly Route[] = [listAudit]
