import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { apps, Customers } from '../faults/kit/customers.js'
import { Link, startLink } from '../faults/kit/link.js'
import { brokenSoFar, judge } from '../faults/kit/oracle.js'
import type { RunPlan } from '../faults/kit/plan.js'
import { Service } from '../faults/kit/services.js'
import { storyOf } from '../faults/kit/story.js'
import { unsettled } from '../faults/kit/unsettled.js'
import type { World } from '../faults/kit/world.js'
import { type Fleet, type Member, metricOf, startFleet } from './fleet.js'

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
  const fleet = await startFleet({ windows, switches, vendorOffers })
  cleanups.push(() => fleet.stop())
  // All at once, on an empty database.
  const members = await Promise.all([...roles, ...roles, ...roles, ...roles].map((role) => fleet.start(role)))
  expect(members.filter(({ process }) => process.lines.some(isMigration))).toHaveLength(1)
  const world = await worldOf(fleet, members)
  const customers = new Customers(fleet.feishu, fleet.vendor, plan)
  cleanups.push(async () => customers.stop())
  customers.bindAccounts()
  const findBroken = () => brokenSoFar(world, customers)
  const working = untilAllHaveWorked(members, findBroken)
  await customers.order(working)
  const failed = [...(await working), ...(await untilSettled(world, customers, findBroken))]
  const broken = failed.length > 0 ? failed : await judge(world, customers, [])
  if (broken.length > 0) expect.fail([...broken, ...(await storyOf(world, customers, [], broken))].join('\n'))
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

/** As the oracle of the faults sees it: one door for Feishu in front of all receivers, and /v1 of the first. */
async function worldOf(fleet: Fleet, members: readonly Member[]): Promise<World> {
  const receivers = members.filter(({ roles }) => roles === 'receiver').map(({ url }) => Number(new URL(url).port))
  const webhook = await startLink('feishu–service', receivers)
  cleanups.push(() => webhook.stop())
  for (const { appId } of apps) fleet.feishu.setEventUrl(appId, `${webhook.url}/webhooks/feishu/${appId}/events`)
  // It never runs: the oracle asks it for its port, and the story for its log.
  const service = new Service('all', {}, fleet.folder)
  service.port = receivers[0] ?? 0
  const links = { feishu: new Link('feishu', [fleet.feishu.port]), vendor: new Link('vendor', [fleet.vendor.port]) }
  const { feishu, vendor, read, stop } = fleet
  return { plan, feishu, vendor, places: [{ service, links }], webhook, read, stop }
}

/** Until everything has come to its end, or something is broken; answers that, or what is still under way when it is late. */
async function untilSettled(world: World, customers: Customers, findBroken: FindBroken): Promise<string[]> {
  const late = performance.now() + 120_000
  for (;;) {
    const broken = await findBroken()
    if (broken.length > 0) return broken
    const left = await unsettled(world, customers)
    if (left.length === 0 || performance.now() > late) return left
    await sleep(500)
  }
}
