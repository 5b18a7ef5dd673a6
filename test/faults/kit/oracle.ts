import { setTimeout as sleep } from 'node:timers/promises'
import type { CallRecord } from '../../../src/sandbox/index.js'
import type { Check, Customers } from './customers.js'
import type { LivedFault } from './live-one.js'
import { apiKey, type World } from './world.js'

export interface Delivery {
  background_check_id: string
  api: string
  stage_id: string | null
  state: string
  confirmed: boolean
  dead_class: string | null
  last_error: unknown
  attempts: number
}

interface Rows {
  orders: Map<string, { state: string; attention: string[] }>
  deliveries: Delivery[]
  events: Map<string, string>
  accounts: Map<string, string>
}

/** Everything that a run shows to be broken, in words: what the sandbox's oracle finds, and what the rows and /v1 say. */
export async function judge(world: World, customers: Customers, lived: readonly LivedFault[]): Promise<string[]> {
  const rows = await readRows(world)
  const unheard = unheardAt(world, lived)
  return [
    ...lived.filter((fault) => isUnfelt(fault, lived)).map(({ name }) => `kit: nobody felt the fault "${name}"`),
    ...askSandbox(world, customers, unheard),
    ...checkEvents(world, customers, rows),
    ...customers.checks.flatMap((check) => [
      ...checkFeishu(world, check),
      ...checkVendor(world, check),
      ...checkHere(check, rows),
      ...checkRepeats(world, check, unheard),
    ]),
    ...(await checkShown(world, rows)),
  ]
}

/** What is broken already, while a run without faults goes on: nothing that comes can mend it. */
export async function brokenSoFar(world: World, customers: Customers): Promise<string[]> {
  const unheard = unheardAt(world, [])
  const dead = await world.read<{ id: string; what: string }>(
    `SELECT background_check_id AS id, api || ' is dead: ' || dead_class AS what FROM deliveries WHERE state = 'dead'
     UNION ALL SELECT background_check_id, 'failed here' FROM orders WHERE state = 'failed'`,
  )
  // What crossed a customer's cancel is refused, and superseded when the event of the cancel has come.
  const canceled = new Set(customers.checks.filter((check) => check.canceledInFeishu).map(({ id }) => id))
  return [
    ...askSandbox(world, customers, unheard),
    ...customers.checks.flatMap((check) => [
      ...(world.vendor.orderCount(check.id) > 1 ? checkVendor(world, check) : []),
      ...checkRepeats(world, check, unheard),
    ]),
    ...dead.filter(({ id }) => !canceled.has(id)).map(({ id, what }) => `${id}: ${what}`),
  ]
}

/** A fault that comes while another lasts may be hidden by it: what does not run feels no network. */
function isUnfelt(fault: LivedFault, lived: readonly LivedFault[]): boolean {
  const hidden = lived.some((other) => other !== fault && other.from < fault.to && other.to > fault.from)
  return fault.bites === 0 && !hidden
}

async function readRows(world: World): Promise<Rows> {
  const orders = await world.read<{ id: string; state: string; attention: string[] }>(
    'SELECT background_check_id AS id, state, attention FROM orders',
  )
  const events = await world.read<{ event_id: string; state: string }>('SELECT event_id, state FROM events')
  const accounts = await world.read<{ account_id: string; state: string }>('SELECT account_id, state FROM accounts')
  return {
    orders: new Map(orders.map(({ id, ...order }) => [id, order])),
    deliveries: await world.read<Delivery>('SELECT * FROM deliveries ORDER BY lane, seq'),
    events: new Map(events.map(({ event_id, state }) => [event_id, state])),
    accounts: new Map(accounts.map(({ account_id, state }) => [account_id, state])),
  }
}

const everyMs = 20

/** Moments at which an answer of Feishu may have gone unheard, ms since 1970, ascending. */
export function unheardAt({ places }: World, lived: readonly LivedFault[]): number[] {
  const lasting = lived.filter(({ losesAnswers }) => losesAnswers)
  const series = lasting.flatMap(({ from, to }) =>
    Array.from({ length: Math.ceil((to - from) / everyMs) + 1 }, (_, index) => from + index * everyMs),
  )
  return [...series, ...places.flatMap(({ links }) => links.feishu.bittenAt)].sort((one, other) => one - other)
}

/** §6.2 and §6.3 of the promises, at Feishu's door. */
function askSandbox({ feishu }: World, { checks }: Customers, crashedAt: number[]): string[] {
  const vendorStages = Object.fromEntries(checks.map(({ id, stages }) => [id, [...stages, 'terminated']]))
  return feishu.checkPromises({ crashedAt, vendorStages }).map((violation) => JSON.stringify(violation))
}

/** §6.1: what was acknowledged is here once, and has had its effect. */
function checkEvents({ feishu, vendor }: World, { eventIds, accountIds }: Customers, rows: Rows): string[] {
  const events = eventIds.flatMap((id) => {
    if (!feishu.event(id).acknowledged) return [`event ${id} was never acknowledged`]
    const state = rows.events.get(id) ?? 'not here'
    return state === 'done' ? [] : [`event ${id} was acknowledged and is ${state}`]
  })
  const accounts = accountIds.flatMap((id) => {
    const atVendor = vendor.accounts().filter(({ accountId }) => accountId === id).length
    const here = rows.accounts.get(id)
    return here === 'confirmed' && atVendor === 1 ? [] : [`account ${id} is ${here}, ${atVendor} at the vendor`]
  })
  return [...events, ...accounts]
}

/** §6.2: each stage once, the end once and last; and all of them, unless the customer stopped it. */
function checkFeishu({ feishu }: World, { id, plan, stages, canceledInFeishu }: Check): string[] {
  const applied = feishu
    .calls({ backgroundCheckId: id, applied: true })
    .filter(({ api }) => api === 'update_progress' || api === 'update_result' || api === 'cancel')
    .map(nameOf)
  const wanted = stages.map((stage) => `update_progress ${stage}`)
  const whole =
    plan.end === 'completed' ? [...wanted, 'update_result'] : [...wanted, 'update_progress terminated', 'cancel']
  const isRight = canceledInFeishu ? isBeginning(applied, whole) : applied.join() === whole.join()
  return isRight ? [] : [`${id}: Feishu took ${applied.join()}; expected ${whole.join()}`]
}

function isBeginning(part: readonly string[], whole: readonly string[]): boolean {
  return part.every((each, index) => whole[index] === each)
}

/** §6.1: one order for each check, and a stopped one is stopped there too. */
function checkVendor({ vendor }: World, { id, plan, canceledInFeishu }: Check): string[] {
  const count = vendor.orderCount(id)
  const mayBeNone = canceledInFeishu
  if (count > 1 || (count === 0 && !mayBeNone)) return [`${id}: ${count} orders at the vendor`]
  if (count === 0 || !canceledInFeishu) return []
  const { status } = vendor.order(id)
  return status === 'canceled' || status === 'completed' || plan.cancelAfterMs === null
    ? []
    : [`${id}: stopped by the customer and ${status} at the vendor`]
}

/** §6.7: every delivery is at its end, none is dead, and the order says what Feishu says. */
function checkHere({ id, plan, canceledInFeishu }: Check, { orders, deliveries }: Rows): string[] {
  const order = orders.get(id)
  const expected = canceledInFeishu || plan.end === 'vendor stops' ? 'canceled' : 'completed'
  const broken = order?.state === expected ? [] : [`${id}: ${order?.state ?? 'not'} here, expected ${expected}`]
  for (const row of deliveries.filter((each) => each.background_check_id === id)) {
    const what = `${id}: ${row.api} ${row.stage_id ?? ''}`
    if (row.state === 'dead') broken.push(`${what} is dead: ${row.dead_class} ${JSON.stringify(row.last_error)}`)
    else if (row.state === 'superseded' && expected !== 'canceled') broken.push(`${what} was superseded`)
    else if (row.state !== 'delivered' && row.state !== 'superseded') broken.push(`${what} is ${row.state}`)
  }
  return broken
}

/** §6.6: what Feishu has said yes to is not sent again, and what nobody heard is asked about where that is allowed. */
function checkRepeats({ feishu, plan }: World, { id }: Check, unheard: readonly number[]): string[] {
  const calls = feishu.calls({ backgroundCheckId: id })
  const looks = feishu.calls({ api: 'background_check_orders.batch_query' })
  return calls.flatMap((call, index) => {
    const first = calls.slice(0, index).find((other) => other.applied && nameOf(other) === nameOf(call))
    if (first === undefined) return []
    const between = (at: number) => at >= first.at && at <= call.at
    const told = first.answered && first.code === 0 && first.httpStatus === 200
    const what = `${id}: ${nameOf(call)} was sent again (calls ${first.seq}, ${call.seq})`
    if (told && !unheard.some(between)) return [`${what} after a yes`]
    const looked = looks.some((look) => look.tenantKey === call.tenantKey && between(look.at))
    return plan.switches.orderReads === true && !looked ? [`${what} without a look`] : []
  })
}

/** §6.7: the operators' door shows it all. */
async function checkShown({ places }: World, { orders, deliveries }: Rows): Promise<string[]> {
  const url = `http://127.0.0.1:${places[0]?.service.port}`
  const broken: string[] = []
  for (const [id, { state }] of orders) {
    const shown = await ask(`${url}/v1/orders/${id}`)
    if (shown['state'] !== state) broken.push(`${id}: ${state} here, /v1 shows ${JSON.stringify(shown).slice(0, 300)}`)
    const rows = deliveries.filter((row) => row.background_check_id === id)
    const listed = Array.isArray(shown['deliveries']) ? shown['deliveries'].length : 0
    if (listed !== rows.length) broken.push(`${id}: ${rows.length} deliveries here, /v1 shows ${listed}`)
  }
  return broken
}

/** A long run has more orders than a key may ask for in a minute: it waits as long as it is told to. */
async function ask(url: string): Promise<Record<string, unknown>> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${apiKey}` } })
  if (response.status === 429) {
    await response.body?.cancel()
    await sleep(Number(response.headers.get('retry-after') ?? 1) * 1000)
    return ask(url)
  }
  // Whatever /v1 answers is an object; its members are looked at one by one.
  return (await response.json()) as Record<string, unknown>
}

export function nameOf({ api, body }: CallRecord): string {
  const isStage = typeof body === 'object' && body !== null && 'stage_id' in body
  return isStage ? `${api} ${String(body.stage_id)}` : String(api)
}
