import { z } from 'zod'
import type { Parts } from '../../app.js'
import { type Again, resultAgain, type Wanted, wantAgain } from '../../flow/orders/again.js'
import { cancelByOperator, type Stopped } from '../../flow/orders/cancel-by-operator.js'
import { type PlacedAgain, placeAgain } from '../../flow/orders/place-again.js'
import { wakePumps } from '../../flow/to-feishu/wake-pumps.js'
import { unlessArchived } from './archived-order.js'
import type { Write } from './audited.js'
import { ofOrder, ofStage } from './looks.js'
import { type Order, order, showOrder } from './order-shape.js'
import { type Problem, problem } from './problems.js'
import { type Answer, noBody, none, okOrUnknown, type Route, route, unknownId } from './route.js'
import { feishuId } from './values.js'

const params = z.object({ background_check_id: feishuId })
const stageParams = z.object({ background_check_id: feishuId, stage_id: z.string().regex(/^[A-Za-z0-9_-]{1,36}$/) })

const retryOrder = route({
  id: 'orders.retry',
  method: 'POST',
  path: '/v1/orders/{background_check_id}/retry',
  summary: 'Places a failed order again, after asking the vendor whether it has it',
  scopes: ['operate'],
  status: 202,
  params,
  query: none,
  body: noBody,
  answer: order,
  problems: ['not-found', 'order-not-failed', 'order-being-stopped', 'erased', 'archived'],
  audit: ofOrder,
  run: async (parts, { params: { background_check_id: id } }, write) => {
    const again = await write(...unlessArchived(id, (sql) => placeAgain(sql, id), judgePlacing))
    if (again.kind === 'problem') return again
    parts.hints.send('vendor')
    return shown(parts, id)
  },
})

function judgePlacing(again: PlacedAgain): 'done' | Problem {
  switch (again) {
    case 'done':
      return 'done'
    case 'unknown':
      return unknownId
    case 'not_failed':
      return problem('order-not-failed', 'only an order that failed can be placed again')
    case 'being_stopped':
      return problem('order-being-stopped', 'an operator stopped this order in Feishu')
    case 'erased':
      return problem('erased', 'what the order was placed with was erased')
  }
}

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
  id: 'orders.cancel',
  method: 'POST',
  path: '/v1/orders/{background_check_id}/cancel',
  summary: 'Stops a check in Feishu: a last stage that says so, then the cancel; the vendor is told, too',
  scopes: ['operate'],
  status: 202,
  params,
  query: none,
  body: z.strictObject({ stage_name: stageName.optional(), reason: reason.optional() }).optional(),
  answer: order,
  problems: ['not-found', 'order-ended', 'erased', 'archived'],
  audit: ofOrder,
  run: async (parts, { params: { background_check_id: id }, body }, write) => {
    const words = { stageName: body?.stage_name, reason: body?.reason }
    const stopped = await write(
      ...unlessArchived(id, (sql) => cancelByOperator(sql, parts.sealer, id, words), judgeStop),
    )
    if (stopped.kind === 'problem') return stopped
    if (stopped.result.kind === 'stopped') {
      parts.hints.send('vendor')
      wakePumps(parts.hints, stopped.result.buckets)
    }
    return shown(parts, id)
  },
})

function judgeStop(stopped: Stopped) {
  return stopped.kind === 'stopped' || stopped.kind === 'waits' ? stopped : refusalOf(stopped.kind)
}

const resendResult = route({
  id: 'orders.resend_result',
  method: 'POST',
  path: '/v1/orders/{background_check_id}/result/resend',
  summary: 'Sends the result again, as the vendor says it now',
  scopes: ['operate'],
  status: 202,
  params,
  query: none,
  body: noBody,
  answer: order,
  problems: ['not-found', 'not-resendable', 'order-ended', 'erased', 'archived'],
  audit: ofOrder,
  run: (parts, { params: { background_check_id: id } }, write) => resend(parts, resultAgain(id), write),
})

const resendStage = route({
  id: 'orders.resend_stage',
  method: 'POST',
  path: '/v1/orders/{background_check_id}/stages/{stage_id}/resend',
  summary: 'Sends a stage again, as the vendor says it now, under a new stage_id',
  scopes: ['operate'],
  status: 202,
  params: stageParams,
  query: none,
  body: noBody,
  answer: order,
  problems: ['not-found', 'not-resendable', 'order-ended', 'erased', 'archived'],
  audit: ofStage,
  run: (parts, { params: { background_check_id: backgroundCheckId, stage_id: stageId } }, write) =>
    resend(parts, { backgroundCheckId, stageId }, write),
})

async function resend(parts: Parts, again: Again, write: Write): Promise<Answer<Order>> {
  const { backgroundCheckId: id } = again
  const wanted = await write(...unlessArchived(id, (sql) => wantAgain(sql, parts.sealer, again), judgeResend))
  if (wanted.kind === 'problem') return wanted
  parts.hints.send('vendor')
  return shown(parts, id)
}

function judgeResend(wanted: Wanted) {
  if (wanted.kind === 'refused') return problem('not-resendable', wanted.reason)
  return wanted.kind === 'wanted' ? wanted : refusalOf(wanted.kind)
}

function refusalOf(kind: 'unknown' | 'ended' | 'erased'): Problem {
  if (kind === 'unknown') return unknownId
  if (kind === 'ended') return problem('order-ended', 'the order has ended, and Feishu takes nothing more')
  return problem('erased', 'what the order holds was erased')
}

async function shown(parts: Parts, id: string): Promise<Answer<Order>> {
  return okOrUnknown(await showOrder(parts, id))
}

export const orderWriteRoutes: readonly Route[] = [retryOrder, cancelOrder, resendResult, resendStage]
