import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Grant, KnownUse, Lost, Slot, SlotReturn } from '../../src/platform/limiter/limiter.js'
import {
  asGranted,
  memoryStore,
  mostWithin,
  names,
  openBucket,
  redisStore,
  type Store,
  terms,
} from '../support/limiter.js'
import { run, someWindows, stories } from '../support/limiter-run.js'
import { type StartedRedis, startRedis } from '../support/redis.js'

let server: StartedRedis
let client: Redis

beforeAll(async () => {
  server = await startRedis()
  client = new Redis(server.url)
})

afterAll(async () => {
  client.disconnect()
  await server.stop()
})

const feishu = [
  { limit: 50, windowMs: 1000 },
  { limit: 1000, windowMs: 60_000 },
]

describe.each([
  ['memory', () => memoryStore(), { runs: 3000, calls: 40 }],
  ['redis', () => redisStore(client), { runs: 250, calls: 25 }],
] as const)('the limiter in %s', (_name, open, { runs, calls }) => {
  it('lets no closed interval at the door hold more than a window allows, and every call through', async () => {
    await fc.assert(
      fc.asyncProperty(someWindows, stories(calls), async (windows, story) => {
        const arrivals = await run(open(), windows, story)
        for (const { limit, windowMs } of windows) expect(mostWithin(arrivals, windowMs)).toBeLessThanOrEqual(limit)
      }),
      { numRuns: runs },
    )
  })

  it('uses the whole 1000 a minute when answers come at once', async () => {
    const sent = await sendFor(open(), 0, 600_000)
    expect(mostWithin(sent, 1000)).toBe(50)
    expect(mostWithin(sent, 60_000)).toBe(1000)
    expect(sent.filter((at) => at < 60_000)).toHaveLength(1000)
    expect(sent).toHaveLength(10_000)
  })

  it('comes to limit / (window + latency)', async () => {
    expect(await sendFor(open(), 20, 10_000)).toHaveLength(50 * Math.ceil(10_000 / 1021))
  })
})

/** One pump that has always something to send and comes back when it is told to. */
async function sendFor(store: Store, latency: number, forMs: number): Promise<number[]> {
  const start = store.clock.now
  const on = terms(feishu)
  const limiter = store.process()
  const bucket = `latency-${latency}`
  const sent: number[] = []
  await openBucket(limiter, bucket, on)
  for (;;) {
    const grant = await limiter.take(bucket, names(50, sent.length), on)
    if (grant.kind === 'granted') {
      sent.push(...grant.slots.map(() => store.clock.now - start))
      store.clock.now += latency
      await limiter.giveBack(grant.slots.map((slot) => ({ slot, used: true, answeredMsAgo: 0 })))
    }
    store.clock.now += grant.kind === 'lost' ? 0 : (grant.retryInMs ?? 0)
    if (store.clock.now - start >= forMs) return sent
  }
}

type Step =
  | { do: 'wait'; ms: number }
  | { do: 'take'; count: number; windows: number; epoch: string }
  | { do: 'give back'; which: number[]; used: boolean; ago: number }
  | { do: 'close'; ms: number }
  | { do: 'lose' }
  | { do: 'rebuild'; epoch: string; uses: number[] }

const epochs = fc.constantFrom('1', '1', '1', '2')
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('wait' as const), ms: fc.nat(1200) }),
  fc.record({ do: fc.constant('take' as const), count: fc.nat(6), windows: fc.nat(1), epoch: epochs }),
  fc.record({
    do: fc.constant('give back' as const),
    which: fc.array(fc.nat(9), { maxLength: 4 }),
    used: fc.boolean(),
    ago: fc.double({ min: -1, max: 1500, noNaN: true }),
  }),
  fc.record({ do: fc.constant('close' as const), ms: fc.nat(800) }),
  fc.record({ do: fc.constant('lose' as const) }),
  fc.record({
    do: fc.constant('rebuild' as const),
    epoch: epochs,
    uses: fc.array(fc.integer({ min: -900, max: 900 })),
  }),
)

const choices = [
  terms([{ limit: 4, windowMs: 500 }]),
  terms([
    { limit: 3, windowMs: 200 },
    { limit: 5, windowMs: 1000 },
  ]),
]

/** Everything that a limiter answers to these steps; tickets and turns are its own. */
async function answers(store: Store, steps: readonly Step[]): Promise<unknown[]> {
  const bucket = `b${Math.random()}`
  const limiter = store.process()
  const slots: Slot[] = []
  let lost: Lost = { kind: 'lost', ticket: 'none' }
  const tell = (grant: Grant) =>
    grant.kind === 'lost' ? grant.kind : { ...grant, slots: grant.kind === 'granted' ? grant.slots.length : 0 }
  const does = async (step: Step, index: number): Promise<unknown> => {
    switch (step.do) {
      case 'wait':
        store.clock.now += step.ms
        return step.ms
      case 'take': {
        const on = { ...(choices[step.windows] ?? terms([])), epoch: step.epoch }
        const grant = await limiter.take(bucket, names(step.count, index * 10), on)
        if (grant.kind === 'lost') lost = grant
        if (grant.kind === 'granted') slots.push(...grant.slots)
        return tell(grant)
      }
      case 'give back': {
        const back = step.which.flatMap((at) => slots.at(-1 - at) ?? [])
        return await limiter.giveBack(
          back.map(
            (slot): SlotReturn => (step.used ? { slot, used: true, answeredMsAgo: step.ago } : { slot, used: false }),
          ),
        )
      }
      case 'close':
        return await limiter.close(bucket, step.ms)
      case 'lose':
        return await store.lose()
      case 'rebuild': {
        const uses = step.uses.map((ms, at): KnownUse => {
          const name = slots.at(-1 - at)?.name ?? `known-${at}`
          return ms < 0 ? { name, answeredMsAgo: -ms } : { name, arrivesWithinMs: ms }
        })
        return await limiter.rebuild(bucket, lost, uses, { ...terms(choices[1]?.windows ?? []), epoch: step.epoch })
      }
    }
  }
  const told: unknown[] = []
  for (const [index, step] of steps.entries()) told.push(await does(step, index))
  return told
}

describe('the memory twin', () => {
  it('answers whatever happens as Redis does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 40, size: 'max' }), async (story) => {
        expect(await answers(memoryStore(), story)).toEqual(await answers(redisStore(client), story))
      }),
      { numRuns: 300 },
    )
  })

  it('says exactly when the next slot comes free', async () => {
    await fc.assert(
      fc.asyncProperty(someWindows, fc.array(fc.nat(500), { minLength: 9, maxLength: 30 }), async (windows, pauses) => {
        const store = memoryStore()
        const limiter = store.process()
        const on = terms(windows)
        await openBucket(limiter, 'a', on)
        for (const [index, pause] of pauses.entries()) {
          const grant = await limiter.take('a', names(3, index * 3), on)
          if (grant.kind === 'lost') throw new Error('lost')
          const slots = grant.kind === 'granted' ? grant.slots : []
          await limiter.giveBack(slots.map((slot) => ({ slot, used: true, answeredMsAgo: 0 })))
          if (grant.retryInMs !== undefined) {
            store.clock.now += grant.retryInMs - 1
            expect(await limiter.take('a', ['early'], on)).toEqual({ kind: 'wait', retryInMs: 1 })
            store.clock.now += 1
            const next = asGranted(await limiter.take('a', ['in time'], on))
            await limiter.giveBack(next.slots.map((slot) => ({ slot, used: true, answeredMsAgo: 0 })))
          }
          store.clock.now += pause
        }
      }),
      { numRuns: 500 },
    )
  })
})
