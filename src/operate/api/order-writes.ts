import { z } from 'zod'
import type { Parts } from '../../app.js'
import { type Again, resultAgain, wantAgain } from '../../flow/orders/again.js'
import { cancelByOperator } from '../../flow/orders/cancel-by-operator.js'
import { placeAgain } from '../../flow/orders/place-again.js'
import { wakePumps } from '../../flow/to-feishu/wake-pumps.js'
import { showOrder } from './order-shape.js'
import { type Problem, problem } from './problems.js'
import { type Answer, noBody, none, okOrUnknown, type Route, route, unknownId } from './route.js'
import { feishuId } from './values.js'

const params = z.object({ background_check_id: feishuId })
const stageParams = z.object({ background_check_id: feishuId, stage_id: z.string().regex(/^[A-Za-z0-9_-]{1,36}$/) })

const retryOrder = route({
  method: 'POST',
  path: '/v1/orders/{background_check_id}/retry',
  summary: 'Places a failed order again, after asking the vendor whether it has it',
  scopes: ['operate'],
  status: 202,
  params,
  query: none,
  body: noBody,
  run: async (parts, { params: { background_check_id: id } }) => {
    const again = await parts.database.transaction((sql) => placeAgain(sql, id))
    if (again === 'unknown') return unknownId
    if (again === 'not_failed') return problem('order-not-failed', 'only an order that failed can be placed again')
    if (again === 'being_stopped') return problem('order-being-stopped', 'an operator stopped this order in Feishu')
    if (again === 'erased') return problem('erased', 'what the order was placed with was erased')
    parts.hints.send('vendor')
    return shown(parts, id)
  },
})

/** What a stage of Feishu's surely takes (docs/feishu.md §3.2). */
const stageName = z
  .string()
  .trim()
  .regex(/^[^\p{Cc}\p{Cs}]{1,100}$/u, 'expected 1 to 100 characters without control characters')
const reason = z
  .string()
  .max(1000, 'expected 1000 characters or fewer')
  .regex(/^(?:[^\p{Cc}\p{Cs}]|[\n\r\t])*$/u, 'expected text without control characters')

const cancelOrder = route({
  method: 'POST',
  path: '/v1/orders/{background_check_id}/cancel',
  summary: 'Stops a check in Feishu: a last stage that says so, then the cancel; the vendor is told, too',
  scopes: ['operate'],
  status: 202,
  params,
  query: none,
  body: z.strictObject({ stage_name: stageName.optional(), reason: reason.optional() }).optional(),
  run: async (parts, { params: { background_check_id: id }, body }) => {
    const words = { stageName: body?.stage_name, reason: body?.reason }
    const stopped = await parts.database.transaction((sql) => cancelByOperator(sql, parts.sealer, id, words))
    if (stopped.kind !== 'stopped' && stopped.kind !== 'waits') return refusalOf(stopped.kind)
    if (stopped.kind === 'stopped') {
      parts.hints.send('vendor')
      wakePumps(parts.hints, stopped.buckets)
    }
    return shown(parts, id)
  },
})

const resendResult = route({
  method: 'POST',
  path: '/v1/orders/{background_check_id}/result/resend',
  summary: 'Sends the result again, as the vendor says it now',
  scopes: ['operate'],
  status: 202,
  params,
  query: none,
  body: noBody,
  run: (parts, { params: { background_check_id: id } }) => resend(parts, resultAgain(id)),
})

const resendStage = route({
  method: 'POST',
  path: '/v1/orders/{background_check_id}/stages/{stage_id}/resend',
  summary: 'Sends a stage again, as the vendor says it now, under a new stage_id',
  scopes: ['operate'],
  status: 202,
  params: stageParams,
  query: none,
  body: noBody,
  run: (parts, { params: { background_check_id: backgroundCheckId, stage_id: stageId } }) =>
    resend(parts, { backgroundCheckId, stageId }),
})

async function resend(parts: Parts, again: Again): Promise<Answer> {
  const wanted = await parts.database.transaction((sql) => wantAgain(sql, parts.sealer, again))
  if (wanted.kind === 'refused') return problem('not-resendable', wanted.reason)
  if (wanted.kind !== 'wanted') return refusalOf(wanted.kind)
  parts.hints.send('vendor')
  return shown(parts, again.backgroundCheckId)
}

function refusalOf(kind: 'unknown' | 'ended' | 'erased'): Problem {
  if (kind === 'unknown') return unknownId
  if (kind === 'ended') return problem('order-ended', 'the order has ended, and Feishu takes nothing more')
  return problem('erased', 'what the order holds was erased')
}

async function shown(parts: Parts, id: string): Promise<Answer> {
  return okOrUnknown(await showOrder(parts, id))
}

export const orderWriteRoutes: readonly Route[] = [retryOrder, cancelOrder, resendResult, resendStage]
