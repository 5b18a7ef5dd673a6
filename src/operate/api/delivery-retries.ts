import { z } from 'zod'
import type { Parts } from '../../app.js'
import { addToAudit } from '../../flow/audit.js'
import { findDead, mostRevived, type Revived, reviveDelivery } from '../../flow/outbox/revive.js'
import { wakePumps } from '../../flow/to-feishu/wake-pumps.js'
import { type Asker, audited, by, type Write } from './audited.js'
import { apis, deadClasses, delivery, deliveryColumns, showDeliveries } from './delivery-shape.js'
import { ofDelivery } from './looks.js'
import { problem } from './problems.js'
import { noBody, none, ok, okOrUnknown, type Route, route, unknownId } from './route.js'
import { ownId } from './shapes.js'
import { oneOf, rowId, text } from './values.js'

const retry = route({
  id: 'deliveries.retry',
  method: 'POST',
  path: '/v1/deliveries/{id}/retry',
  summary: 'Sends a dead delivery again',
  scopes: ['operate'],
  status: 202,
  params: z.object({ id: rowId }),
  query: none,
  body: noBody,
  answer: delivery,
  problems: ['not-found', 'delivery-not-revivable', 'erased'],
  audit: ofDelivery,
  run: async (parts, { params: { id } }, write) => {
    const revived = await revive(parts, String(id), write)
    if (revived.kind === 'problem') return revived
    const row = await (await parts.database.prisma()).delivery.findUnique({ where: { id }, select: deliveryColumns })
    const [shown] = row === null ? [] : await showDeliveries(parts, [row])
    return okOrUnknown(shown ?? null)
  },
})

export const retried = z
  .object({
    dry_run: z.boolean(),
    matched: z.int(),
    delivery_ids: z.array(ownId).meta({ description: 'Those that wait again, or would in a dry run' }),
    refused: z.array(z.object({ id: ownId, reason: z.string() })),
  })
  .meta({ id: 'RetriedDeliveries' })

const filter = z.strictObject({
  class: oneOf(deadClasses).optional(),
  api: oneOf(apis).optional(),
  app_id: text.optional(),
  tenant_key: text.optional(),
  background_check_id: text.optional(),
})

const retryMany = route({
  id: 'deliveries.retry_many',
  method: 'POST',
  path: '/v1/deliveries/retry',
  summary: `Sends the dead deliveries that a filter names again, up to ${mostRevived} at once, or says which they are`,
  scopes: ['operate'],
  status: 202,
  params: none,
  query: none,
  body: z.strictObject({ filter, dry_run: z.boolean().default(false) }),
  answer: retried,
  problems: [],
  audit: 'by itself',
  run: async (parts, { body, ...asker }) => {
    const ids = await findDead(parts.database.pool, body.filter)
    if (body.dry_run) return ok({ dry_run: true, matched: ids.length, delivery_ids: ids, refused: [] })
    const revived: string[] = []
    const refused: Array<{ id: string; reason: string }> = []
    for (const id of ids) {
      const one = await revive(parts, id, oneOfMany(parts, asker, id))
      if (one.kind === 'done') revived.push(id)
      else refused.push({ id, reason: one.name === 'not-found' ? 'it is gone' : one.detail })
    }
    await addToAudit(parts.database.pool, [ofMany(asker, body.filter, { revived, refused })])
    return ok({ dry_run: false, matched: ids.length, delivery_ids: revived, refused })
  },
})

/** Each of many has its own entry, in its own transaction: a filter that stops half way leaves what it did. */
function oneOfMany({ database }: Parts, asker: Asker, id: string): Write {
  const subject = { params: { id: BigInt(id) } }
  const act = { ...by(asker), action: retry.id, subject: ofDelivery.subject(subject) }
  return (work, judge) => audited(database, { ...act, look: (sql) => ofDelivery.look(sql, subject) }, work, judge)
}

function ofMany(asker: Asker, filter: object, { revived, refused }: { revived: unknown[]; refused: unknown[] }) {
  const after = { filter, revived: revived.length, refused: refused.length }
  const what = { action: 'deliveries.retry_many', subject: 'deliveries', outcome: 'done', after } as const
  return { ...by(asker), ...what }
}

async function revive({ sealer, keepers, hints }: Parts, id: string, write: Write) {
  const revived = await write((sql) => reviveDelivery(sql, sealer, keepers, id), judge)
  if (revived.kind === 'done') wakePumps(hints, revived.result.buckets)
  return revived
}

function judge(revived: Revived) {
  if (revived.kind === 'revived') return revived
  if (revived.kind === 'unknown') return unknownId
  return problem(revived.erased ? 'erased' : 'delivery-not-revivable', revived.reason)
}

export const deliveryRetryRoutes: readonly Route[] = [retryMany, retry]
