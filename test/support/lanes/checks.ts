import type { CallRecord, SandboxOrder, Violation } from '../../../src/sandbox/index.js'
import type { Ground } from '../room.js'
import type { Lane } from './customers.js'
import { mayMissAnswers } from './plan.js'
import type { Lived } from './world.js'

interface Row {
  id: string
  api: string
  state: string
  confirmed: boolean
  dead_class: string | null
  last_error: { reason?: string; code?: number } | null
  stage_id: string | null
  fence: number
}

/** One lane at its end: what is here, and what is in Feishu. */
interface Ended {
  lane: Lane
  state: string
  attention: string[]
  rows: Row[]
  order: SandboxOrder
  calls: CallRecord[]
}

/** Everything that a world shows to be broken, in words: what the sandbox's oracle finds, and what the rows say. */
export async function brokenPromises(ground: Ground, lived: Lived): Promise<string[]> {
  const ended = await Promise.all(lived.lanes.map((lane) => readLane(ground, lived, lane)))
  const lookedInVain = unansweredLooks(ground.lines)
  return [
    ...askOracle(lived),
    ...ended
      .flatMap((each) => [
        ...checkRows(each),
        ...checkPresence(each),
        ...checkStates(each),
        ...checkNothingVanished(each),
        ...checkRepeats(each, lived, lookedInVain),
      ])
      .map((broken) => broken),
  ]
}

async function readLane({ database }: Ground, { feishu }: Lived, lane: Lane): Promise<Ended> {
  const { rows: orders } = await database.pool.query<{ state: string; attention: string[] }>(
    'SELECT state, attention FROM orders WHERE background_check_id = $1',
    [lane.id],
  )
  const { rows } = await database.pool.query<Row>('SELECT * FROM deliveries WHERE lane = $1 ORDER BY seq', [
    `order:${lane.id}`,
  ])
  const { state = 'none', attention = [] } = orders[0] ?? {}
  const calls = feishu.calls({ backgroundCheckId: lane.id })
  return { lane, state, attention, rows, order: feishu.order(lane.id), calls }
}

/** What an operator sent again is the operator's: its place, and its time, which has to be later than the others'. */
function askOracle({ feishu, lanes, crashedAt, plan }: Lived): string[] {
  const revived = new Set(lanes.filter((lane) => lane.revived.size > 0).map((lane) => lane.id))
  const asSaid = lanes.filter((lane) => !revived.has(lane.id) && !isTakenBack(lane))
  const vendorStages = Object.fromEntries(asSaid.map((lane) => [lane.id, [...saidStages(lane), 'terminated']]))
  const isExcused = ({ rule, backgroundCheckId = '' }: Violation) =>
    (rule === 'stage_changed_between_attempts' && revived.has(backgroundCheckId)) ||
    (rule === 'attempted_after_the_end' && mayMissAnswers(plan))
  const violations = feishu.checkPromises({ crashedAt, vendorStages }).filter((each) => !isExcused(each))
  return violations.map((violation) => JSON.stringify(violation))
}

function checkRows({ lane, state, rows, attention }: Ended): string[] {
  const broken: string[] = []
  for (const row of rows) {
    const what = `${lane.id}: ${row.api} ${row.stage_id ?? ''}`
    if (!['delivered', 'superseded', 'dead'].includes(row.state)) broken.push(`${what} is stuck: ${row.state}`)
    if (row.state === 'dead' && (row.dead_class === null || !row.last_error?.reason))
      broken.push(`${what} is dead without a reason`)
    const mayBeSuperseded = state === 'canceled' || isTakenBack(lane)
    if (row.state === 'superseded' && !mayBeSuperseded) broken.push(`${what} was superseded, and nothing ended`)
  }
  const isDead = rows.some((row) => row.state === 'dead')
  if (isDead !== attention.includes('delivery_dead'))
    broken.push(`${lane.id}: dead ${isDead}, flagged ${attention.join()}`)
  return broken
}

/**
 * What was delivered is in Feishu, once. Only where the customer stopped the check may it be missing: then a refusal of
 * a repeat says either that it is there or that the order is over (contract §3.11 rule 2).
 */
function checkPresence({ lane, rows, order }: Ended): string[] {
  const broken: string[] = []
  for (const row of rows.filter(({ state }) => state === 'delivered')) {
    const times = timesInFeishu(row, order)
    const what = `${lane.id}: ${row.api} ${row.stage_id ?? ''} is delivered (confirmed ${row.confirmed})`
    const mayBeMissing = lane.canceledInFeishu && !row.confirmed
    if (times > 1 || (times === 0 && !mayBeMissing)) broken.push(`${what} and ${times} times in Feishu`)
  }
  const known = new Set(rows.map((row) => row.stage_id))
  for (const { stageId } of order.stages)
    if (!known.has(stageId)) broken.push(`${lane.id}: ${stageId} came from nowhere`)
  return broken
}

function timesInFeishu({ api, stage_id }: Row, order: SandboxOrder): number {
  if (api === 'update_progress') return order.stages.filter((stage) => stage.stageId === stage_id).length
  if (api === 'update_result') return order.result === undefined ? 0 : 1
  return order.status === 'terminated' ? 1 : 0
}

function checkStates({ lane, state, rows, order }: Ended): string[] {
  const isDelivered = (api: string) => rows.some((row) => row.api === api && row.state === 'delivered')
  const expected = expectedStates(lane, isDelivered)
  const broken = expected.includes(state) ? [] : [`${lane.id}: ${state}, expected ${expected.join(' or ')}`]
  if (state === 'completed' && order.result === undefined)
    broken.push(`${lane.id}: completed, and Feishu has no result`)
  return broken
}

function expectedStates(lane: Lane, isDelivered: (api: string) => boolean): string[] {
  if (lane.canceledInFeishu || isDelivered('cancel')) return ['canceled']
  // Feishu may have said that it holds the result for approval.
  if (isDelivered('update_result')) return lane.plan.customer === 2 ? ['completed', 'reported'] : ['completed']
  return ['ordered', 'in_progress', 'reported']
}

/** Every stage that the vendor named has a row, in the vendor's order, and the end behind them. */
function checkNothingVanished({ lane, state, rows }: Ended): string[] {
  if (state === 'canceled' || isTakenBack(lane) || lane.revived.size > 0) return []
  const last = lane.plan.sayings.at(-1)
  const expected = [
    ...saidStages(lane),
    ...(last?.status === 'completed' ? ['update_result'] : []),
    ...(last?.status === 'canceled' ? ['terminated', 'cancel'] : []),
  ]
  const found = rows.filter((row) => row.state !== 'superseded').map((row) => row.stage_id ?? row.api)
  return JSON.stringify(found) === JSON.stringify(expected)
    ? []
    : [`${lane.id}: ${found.join()}, said ${expected.join()}`]
}

/**
 * An attempt that took effect is not made again once that is known: by its answer, or by reading orders where that is
 * allowed, also after a crash and for an operator. Where it is not, an operator may send it again all the same. Reading
 * in vain, as whoever stood still and has no way to Feishu any more, tells nothing.
 */
function checkRepeats({ lane, rows, calls }: Ended, { crashedAt, plan }: Lived, inVain: ReadonlySet<string>): string[] {
  const canLook = plan.switches.orderReads === true
  const revived = canLook ? [] : rows.filter((row) => lane.revived.has(row.id)).map(nameOfRow)
  const asSent = calls.filter((call) => !revived.includes(nameOf(call)))
  return asSent.flatMap((call, index) => {
    const first = asSent.slice(0, index).find((other) => other.applied && nameOf(other) === nameOf(call))
    if (first === undefined) return []
    const toldSo = first.answered && first.code === 0 && first.httpStatus === 200
    const crashed = crashedAt.some((at) => at >= first.at && at <= call.at)
    const mayNotKnow = !toldSo || crashed || mayMissAnswers(plan)
    if (mayNotKnow && (!canLook || inVain.has(`${lane.id} ${nameOf(call)}`))) return []
    return [`${lane.id}: ${nameOf(call)} was sent again after it had taken effect (calls ${first.seq}, ${call.seq})`]
  })
}

interface LogLine {
  event?: string
  seen?: string
  background_check_id?: string
  api: string
  stage_id: string | null
}

/** The deliveries of which Feishu was asked, and gave no answer. */
function unansweredLooks(lines: readonly string[]): Set<string> {
  const looks = lines
    // Only the service writes these lines, so those with this event have the members that it gives them.
    .map((line) => JSON.parse(line) as LogLine)
    .filter(({ event, seen }) => event === 'feishu.look' && seen === 'no_answer')
  return new Set(looks.map((look) => `${look.background_check_id} ${nameOfRow(look)}`))
}

function nameOfRow({ api, stage_id }: Pick<Row, 'api' | 'stage_id'>): string {
  return stage_id === null ? api : `${api} ${stage_id}`
}

function nameOf({ api, body }: CallRecord): string {
  const isStage = typeof body === 'object' && body !== null && 'stage_id' in body
  return isStage ? `${api} ${String(body.stage_id)}` : String(api)
}

function saidStages({ plan }: Lane): string[] {
  return plan.sayings.at(-1)?.stages.map((stage) => stage.id) ?? []
}

/** The vendor stopped the check and then went on: what it had said of the end may be withdrawn. */
function isTakenBack({ plan }: Lane): boolean {
  return plan.sayings.some((saying, index) => saying.status === 'canceled' && index < plan.sayings.length - 1)
}
