import { z } from 'zod'
import type { Parts } from '../../app.js'
import { findDead, mostRevived, type Revived, reviveDelivery } from '../../flow/outbox/revive.js'
import { wakePumps } from '../../flow/to-feishu/wake-pumps.js'
import { apis, classes } from './deliveries.js'
import { deliveryColumns, showDeliveries } from './delivery-shape.js'
import { problem } from './problems.js'
import { noBody, none, ok, type Route, route, unknownId } from './route.js'
import { oneOf, rowId, text } from './values.js'

const retry = route({
  method: 'POST',
  path: '/v1/deliveries/{id}/retry',
  summary: 'Sends a dead delivery again',
  scopes: ['operate'],
  status: 202,
  params: z.object({ id: rowId }),
  query: none,
  body: noBody,
  run: async (parts, { params: { id } }) => {
    const revived = await revive(parts, String(id))
    if (revived.kind === 'unknown') return unknownId
    if (revived.kind === 'refused') return problem('delivery-not-revivable', revived.reason)
    const row = await parts.database.prisma.delivery.findUnique({ where: { id }, select: deliveryColumns })
    const [shown] = row === null ? [] : await showDeliveries(parts, [row])
    return ok(shown ?? {})
  },
})

const filter = z.strictObject({
  class: oneOf(classes).optional(),
  api: oneOf(apis).optional(),
  app_id: text.optional(),
  tenant_key: text.optional(),
  background_check_id: text.optional(),
})

const retryMany = route({
  method: 'POST',
  path: '/v1/deliveries/retry',
  summary: `Sends the dead deliveries that a filter names again, up to ${mostRevived} at once, or says which they are`,
  scopes: ['operate'],
  status: 202,
  params: none,
  query: none,
  body: z.strictObject({ filter, dry_run: z.boolean().default(false) }),
  run: async (parts, { body }) => {
    const ids = await findDead(parts.database.pool, body.filter)
    if (body.dry_run) return ok({ dry_run: true, matched: ids.length, delivery_ids: ids, refused: [] })
    const revived: string[] = []
    const refused: Array<{ id: string; reason: string }> = []
    for (const id of ids) {
      const one = await revive(parts, id)
      if (one.kind === 'revived') revived.push(id)
      else refused.push({ id, reason: one.kind === 'refused' ? one.reason : 'it is gone' })
    }
    return ok({ dry_run: false, matched: ids.length, delivery_ids: revived, refused })
  },
})

async function revive({ database, sealer, keepers, hints }: Parts, id: string): Promise<Revived> {
  const revived = await database.transaction((sql) => reviveDelivery(sql, sealer, keepers, id))
  if (revived.kind === 'revived') wakePumps(hints, revived.buckets)
  return revived
}

export const deliveryRetryRoutes: readonly Route[] = [retryMany, retry]
