import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createMetrics } from '../../src/operate/metrics.js'
import { brokenPromises } from '../support/lanes/checks.js'
import { evidenceOf } from '../support/lanes/evidence.js'
import { planOf, tightPlanOf, type WorldPlan } from '../support/lanes/plan.js'
import { type Earth, liveThrough } from '../support/lanes/world.js'
import { type StartedRedis, startRedis } from '../support/redis.js'
import { layGround } from '../support/room.js'

let earth: Earth
let server: StartedRedis

beforeAll(async () => {
  const ground = await layGround()
  server = await startRedis()
  const databases = [ground.another(), ground.another()]
  earth = { ground, databases, redis: new Redis(server.url), metrics: createMetrics() }
})

afterAll(async () => {
  earth.redis.disconnect()
  await earth.ground.stop()
  await server.stop()
})

/** Worlds of 30 to 90 lanes each; `LANES_RUNS` lets it run long, `LANES_SEED` lives through one world again. */
const { LANES_RUNS = '12', LANES_SEED } = process.env
const worlds = Number(LANES_RUNS)
const longestMs = 60_000 + worlds * 15_000

async function everyWorld(count: number, planFrom: (seed: number) => WorldPlan): Promise<void> {
  const keepsItsPromises = async (seed: number) => {
    expect({ seed, ...(await live(planFrom(seed))) }).toEqual({ seed, broken: [], evidence: [] })
  }
  if (LANES_SEED !== undefined) return keepsItsPromises(Number(LANES_SEED))
  // The machine takes part in what happens: a smaller world is another world, so nothing is shrunk.
  const seeds = fc.noShrink(fc.integer({ min: 0, max: 0x7fffffff }))
  await fc.assert(fc.asyncProperty(seeds, keepsItsPromises), { numRuns: count, endOnFailure: true })
}

async function live(plan: WorldPlan): Promise<{ broken: string[]; evidence: string[] }> {
  earth.ground.lines.length = 0
  const lived = await liveThrough(earth, plan)
  try {
    const broken = await brokenPromises(earth.ground, lived)
    return { broken, evidence: await evidenceOf(earth.ground, lived, broken) }
  } finally {
    await lived.feishu.stop()
  }
}

test(
  'lanes keep their promises under random outcomes, crashes at every step and concurrent pumps',
  { timeout: longestMs },
  () => everyWorld(worlds, planOf),
)

test('and within tight windows, with a Redis that is replaced whenever a process dies', { timeout: longestMs }, () =>
  everyWorld(Math.ceil(worlds / 8), tightPlanOf),
)
