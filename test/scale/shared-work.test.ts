import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { Customers } from '../faults/kit/customers.js'
import { startLink } from '../faults/kit/link.js'
import { brokenSoFar } from '../faults/kit/oracle.js'
import type { RunPlan } from '../faults/kit/plan.js'
import { type Member, metricOf, startFleet } from './fleet.js'
import { expectAllKept, worldOf } from './judged.js'

const cleanups: Array<() => Promise<unknown>> = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** Asked for by hand: more of everything. */
const isLong = process.env['SCALE_FORM'] === 'long'
const windows = [
  { limit: isLong ? 50 : 10, windowMs: 1000 },
  { limit: isLong ? 1000 : 200, windowMs: 60_000 },
]
const plan: RunPlan = {
  seed: 20,
  mode: 'redis',
  faults: [],
  everyMs: 20,
  leastOrders: isLong ? 1000 : 120,
  crossing: false,
  switches: { orderReads: true, duplicateStage: 'refuse_1002858', cancelEcho: true },
  vendorOffers: { batch: true, changes: false },
}
const roles = ['receiver', 'poller', 'sync'] as const
type Role = (typeof roles)[number]

/** What a process of a role counts of the work that only one of them does. */
const workOf: Record<Role, readonly [name: string, having: string]> = {
  receiver: ['bgc_webhook_answers_total', 'reason="accepted"'],
  poller: ['bgc_vendor_calls_total', 'outcome="ok"'],
  sync: ['bgc_feishu_attempts_total', 'settled="delivered"'],
}

test(`4 processes of each role share ${plan.leastOrders} checks of three tenants and more: none is lost, doubled, out of order or above a window`, async () => {
  const { switches, vendorOffers } = plan
  const fleet = await startFleet({ windows, switches, vendorOffers, ownPostgres: true })
  cleanups.push(() => fleet.stop())
  // All at once, on an empty database.
  const members = await Promise.all([...roles, ...roles, ...roles, ...roles].map((role) => fleet.start(role)))
  expect(members.filter(({ process }) => process.lines.some(isMigration))).toHaveLength(1)
  const receivers = members.filter(({ roles }) => roles === 'receiver').map(({ url }) => Number(new URL(url).port))
  // One door for Feishu in front of all receivers, and /v1 of the first.
  const door = await startLink('feishu–service', receivers)
  cleanups.push(() => door.stop())
  const world = worldOf(fleet, plan, { feishu: door.port, v1: receivers[0] ?? 0 })
  const customers = new Customers(fleet.feishu, fleet.vendor, plan)
  cleanups.push(async () => customers.stop())
  customers.bindAccounts()
  const working = untilAllHaveWorked(members, () => brokenSoFar(world, customers))
  await customers.order(working)
  await expectAllKept(world, customers, await working)
}, 240_000)

function isMigration(line: string): boolean {
  return line.includes('"database.migrated"')
}

type FindBroken = () => Promise<string[]>

/** Until each process has done some of what only one of its role does, or something is broken; answers who is idle when it is late. */
async function untilAllHaveWorked(members: readonly Member[], findBroken: FindBroken): Promise<string[]> {
  const late = performance.now() + 60_000
  let idle = members
  while (idle.length > 0 && (await findBroken()).length === 0) {
    if (performance.now() > late) return idle.map((member) => `nothing to do for a ${member.roles}`)
    await sleep(500)
    const shares = await Promise.all(idle.map((member) => metricOf(member, ...workOf[member.roles as Role])))
    idle = idle.filter((_member, index) => shares[index] === 0)
  }
  return []
}
