import { setTimeout as sleep } from 'node:timers/promises'
import { makeFault } from './catalogue.js'
import { Customers } from './customers.js'
import { type LivedFault, liveOne } from './live-one.js'
import { judge } from './oracle.js'
import type { RunPlan } from './plan.js'
import { storyOf } from './story.js'
import { unsettled } from './unsettled.js'
import { startWorld, type World } from './world.js'

export interface Outcome {
  plan: RunPlan
  /** What does not hold, in words; empty when all is well. */
  broken: string[]
  /** Of what is broken: faults, calls and rows. */
  story: string[]
  faults: LivedFault[]
  checks: number
  calls: number
  settledInMs: number
}

/** A fault that nobody felt by then has shown nothing. */
const feltWithinMs = 15_000

/** Lives one plan through, lets everything settle by itself, and judges it. */
export async function run(plan: RunPlan, settleWithinMs: number): Promise<Outcome> {
  const world = await startWorld(plan)
  const customers = new Customers(world.feishu, world.vendor, plan)
  try {
    customers.bindAccounts()
    const lived: LivedFault[] = []
    await customers.order(liveThrough(world, lived))
    const since = performance.now()
    const left = await untilSettled(world, customers, settleWithinMs)
    const settledInMs = Math.round(performance.now() - since)
    const broken = [...left, ...(await judge(world, customers, lived))]
    return {
      plan,
      broken,
      story: broken.length === 0 ? [] : await storyOf(world, customers, lived, broken),
      faults: lived,
      checks: customers.checks.length,
      calls: world.feishu.calls().length,
      settledInMs,
    }
  } finally {
    customers.stop()
    await world.stop()
  }
}

/** Each fault in its turn, or while the one before still lasts. */
async function liveThrough(world: World, lived: LivedFault[]): Promise<void> {
  const underWay = new Map<string, Promise<void>>()
  const all: Promise<void>[] = []
  let last: Promise<void> = Promise.resolve()
  for (const planned of world.plan.faults) {
    if (planned.afterMs >= 0) await last
    await sleep(Math.abs(planned.afterMs))
    const fault = makeFault(world, planned)
    await underWay.get(fault.subject)
    last = liveOne(fault, planned, feltWithinMs).then((one) => void lived.push(one))
    underWay.set(fault.subject, last)
    all.push(last)
  }
  await Promise.all(all)
}

/** What is not at its end when the time is over, in words. */
async function untilSettled(world: World, customers: Customers, withinMs: number): Promise<string[]> {
  const late = performance.now() + withinMs
  for (;;) {
    const left = await unsettled(world, customers)
    if (left.length === 0 || performance.now() > late) return left
    await sleep(100)
  }
}
