import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { apps, type Customers } from '../faults/kit/customers.js'
import { Link } from '../faults/kit/link.js'
import { brokenSoFar, judge } from '../faults/kit/oracle.js'
import type { RunPlan } from '../faults/kit/plan.js'
import { Service } from '../faults/kit/services.js'
import { storyOf } from '../faults/kit/story.js'
import { unsettled } from '../faults/kit/unsettled.js'
import type { World } from '../faults/kit/world.js'
import type { Fleet } from './fleet.js'

/** The ports at which a fleet is asked from outside. */
export interface Doors {
  feishu: number
  v1: number
}

/** As the oracle of the faults sees it. Feishu pushes to its door from now on. */
export function worldOf(fleet: Fleet, plan: RunPlan, doors: Doors): World {
  const { feishu, vendor, folder, read, stop } = fleet
  for (const { appId } of apps) {
    feishu.setEventUrl(appId, `http://127.0.0.1:${doors.feishu}/webhooks/feishu/${appId}/events`)
  }
  // It never runs: the oracle asks it for its port, and the story for its log. The links are not in anybody's way, either.
  const service = new Service('all', {}, folder)
  service.port = doors.v1
  const links = { feishu: new Link('feishu', [feishu.port]), vendor: new Link('vendor', [vendor.port]) }
  const webhook = new Link('feishu–service', [doors.feishu])
  return { plan, feishu, vendor, places: [{ service, links }], webhook, read, stop }
}

/** Fails with the story of what is broken, once all has come to its end, or is late, or `failed` says why it never will. */
export async function expectAllKept(world: World, customers: Customers, failed: readonly string[] = []): Promise<void> {
  const late = [...failed, ...(await untilSettled(world, customers))]
  const broken = late.length > 0 ? late : await judge(world, customers, [])
  if (broken.length > 0) expect.fail([...broken, ...(await storyOf(world, customers, [], broken))].join('\n'))
}

/** Until everything has come to its end, or something is broken; answers that, or what is still under way when it is late. */
async function untilSettled(world: World, customers: Customers): Promise<string[]> {
  const late = performance.now() + 120_000
  for (;;) {
    const broken = await brokenSoFar(world, customers)
    if (broken.length > 0) return broken
    const left = await unsettled(world, customers)
    if (left.length === 0 || performance.now() > late) return left
    await sleep(500)
  }
}
