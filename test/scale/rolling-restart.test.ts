import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import type { PushAttempt } from '../../src/sandbox/index.js'
import { type Check, Customers } from '../faults/kit/customers.js'
import { orderPlan, type RunPlan } from '../faults/kit/plan.js'
import { eventually } from '../support/eventually.js'
import { Balancer } from './balancer.js'
import { type Fleet, type Member, startFleet } from './fleet.js'
import { expectAllKept, worldOf } from './judged.js'
import { startOperators } from './operators.js'

const cleanups: Array<() => Promise<unknown>> = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** Far below the usual drain time, also on a busy machine, and as far above nothing as in a cluster. */
const terms = { everyMs: 100, failures: 3, learnsAfterMs: 200 }
/** The usual one, which `startProcess` takes away. */
const env = { BGC_DRAIN_MS: '5000' }
const windows = [{ limit: 50, windowMs: 1000 }]
/** Asked for by hand: as many as the test of shared work has. */
const count = process.env['SCALE_FORM'] === 'long' ? 4 : 2
const roles = ['receiver', 'poller', 'sync'] as const
const plan: RunPlan = {
  seed: 21,
  mode: 'redis',
  faults: [],
  everyMs: 100,
  leastOrders: 60,
  crossing: false,
  switches: { orderReads: true, duplicateStage: 'refuse_1002858', cancelEcho: true },
  vendorOffers: { batch: true, changes: false },
}

test(`while ${count} processes of each role are told to stop, one after the other, and others start, every push is answered 200, every question and write to /v1 gets its answer, and each check comes to its end once`, async () => {
  const { switches, vendorOffers } = plan
  const fleet = await startFleet({ windows, switches, vendorOffers, env, ownPostgres: true })
  cleanups.push(() => fleet.stop())
  const balancer = await Balancer.start(terms)
  cleanups.push(() => balancer.stop())
  const members = await Promise.all(Array.from({ length: count }, () => roles.map((role) => fleet.start(role))).flat())
  await Promise.all(members.filter(isReceiver).map(({ url }) => balancer.add(url)))
  const door = Number(new URL(balancer.url).port)
  const world = worldOf(fleet, plan, { feishu: door, v1: door })
  const customers = new Recruiters(fleet)
  cleanups.push(async () => customers.stop())
  customers.bindAccounts()
  const open = customers.orderOneThatStaysOpen()
  await eventually(async () => (await fleet.read(`SELECT 1 FROM poll_schedule`)).length).toBe(1)
  const operators = startOperators(balancer.url, open.id)
  cleanups.push(() => operators.stop())

  // There is load with each, and it is felt by those who stay.
  const pushes = () => fleet.feishu.events().flatMap(({ attempts }) => attempts)
  const writes = () => operators.answers.get('POST poll 202') ?? 0
  await customers.orderUntil(
    inTurn(members, async (member) => {
      const [pushesBefore, writesBefore] = [pushes().length, writes()]
      await replace(fleet, member, balancer)
      await eventually(() => pushes().length - pushesBefore).toBeGreaterThan(10)
      await eventually(() => writes() - writesBefore).toBeGreaterThan(5)
    }),
  )
  await operators.stop()
  fleet.vendor.complete(open.id)

  expect(balancer.mishaps).toEqual([])
  const answered = new Set(operators.answers.keys())
  // A process that leaves says so to those who still come to it.
  answered.delete('GET /readyz 503')
  expect([...answered].toSorted()).toEqual([
    'GET /readyz 200',
    'GET /v1/orders?limit=1 200',
    'POST poll 202',
    'the same key 202 with the same answer',
  ])
  // It asks /v1 through the balancer, too.
  await expectAllKept(world, customers).finally(() => expect(balancer.mishaps).toEqual([]))
  expect(pushes().filter((push) => push.httpStatus !== 200 && !hasWaitedLong(push))).toEqual([])
}, 300_000)

/**
 * For PostgreSQL, which has two seconds (src/platform/database/database.ts): then Feishu shall come again. A machine with
 * much else to do needs them now and then, also when nobody restarts.
 */
function hasWaitedLong({ httpStatus, at, endedAt = at }: PushAttempt): boolean {
  return httpStatus === 503 && endedAt - at >= 2000
}

async function inTurn(members: readonly Member[], work: (member: Member) => Promise<void>): Promise<void> {
  for (const member of members) await work(member)
}

/** Another one starts while this one ends. */
async function replace(fleet: Fleet, { roles: of, url, process }: Member, balancer: Balancer): Promise<void> {
  const [code] = await Promise.all([process.stop(), startAnother(fleet, of, balancer)])
  expect(code).toBe(0)
  balancer.remove(url)
}

async function startAnother(fleet: Fleet, of: string, balancer: Balancer): Promise<void> {
  const next = await fleet.start(of)
  if (isReceiver(next)) await balancer.add(next.url)
}

function isReceiver(member: Member): boolean {
  return member.roles === 'receiver'
}

/**
 * Nine of three customers, who order checks with copies of their events, and stop some. Each waits for its own answers and
 * for nobody else, so that a machine that is slow gets less.
 */
class Recruiters extends Customers {
  constructor({ feishu, vendor }: Fleet) {
    super(feishu, vendor, plan)
  }

  async orderUntil(done: Promise<void>): Promise<void> {
    const after = new AbortController()
    const all = Array.from({ length: 9 }, () => this.#orderOneByOne(after.signal))
    await Promise.all([done.finally(() => after.abort()), ...all])
  }

  async #orderOneByOne(over: AbortSignal): Promise<void> {
    while (!over.aborted || this.checks.length < plan.leastOrders) {
      await this.live(orderPlan(plan.seed, this.checks.length))
      await sleep(plan.everyMs)
    }
  }

  /** Until the vendor is told to complete it. */
  orderOneThatStaysOpen(): Check {
    const longer = 3_600_000
    this.begin(this.live({ customer: 0, stages: 0, stepMs: longer, end: 'completed', cancelAfterMs: null, copies: 1 }))
    const [check] = this.checks
    if (check === undefined) throw new Error('it was not ordered')
    return check
  }
}
