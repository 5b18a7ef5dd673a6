import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { VendorAdapter, VendorAnswer } from '../../src/flow/vendor/adapter.js'
import { createBreaker } from '../../src/flow/vendor/breaker.js'
import { type GuardSettings, guardVendor, type VendorCallReport } from '../../src/flow/vendor/guarded.js'
import { createSemaphore } from '../../src/flow/vendor/semaphore.js'
import type { VendorWindows } from '../../src/flow/vendor/windows.js'
import { account, CANARY, call, order, readAgreements, readChanges, readMany } from './vendor-peer.js'

const never = { signal: new AbortController().signal }

/** An adapter of which every verb answers alike. */
function alike(answer: () => Promise<VendorAnswer<never>>): VendorAdapter {
  return {
    capabilities: answer,
    bindAccount: answer,
    placeOrder: answer,
    findOrder: answer,
    getOrder: answer,
    getOrders: answer,
    changes: answer,
    agreements: answer,
    cancelOrder: answer,
  }
}

function guarded(answer: () => Promise<VendorAnswer<never>>, settings: Partial<GuardSettings> = {}) {
  const reports: VendorCallReport[] = []
  const clock = { now: 0 }
  const rules = { failuresToOpen: 2, openMs: 1_000, maxOpenMs: 8_000, now: () => clock.now, random: () => 1 }
  const breaker = createBreaker(rules)
  const onCall = (report: VendorCallReport) => void reports.push(report)
  return {
    vendor: guardVendor(alike(answer), { breaker, concurrency: 2, onCall, ...settings }),
    breaker,
    reports,
    clock,
  }
}

const final = async (): Promise<VendorAnswer<never>> => ({ kind: 'final', message: 'no', status: 422 })
const failing = (status?: number) => async (): Promise<VendorAnswer<never>> => ({
  kind: 'retry',
  message: 'it broke',
  ambiguous: true,
  ...(status === undefined ? {} : { status }),
})

it('passes every verb on, and tells of each call', async () => {
  const { vendor, reports } = guarded(final)
  await vendor.capabilities(call)
  await vendor.bindAccount(account, call)
  await vendor.placeOrder(order, call)
  await vendor.findOrder('1', call)
  await vendor.getOrder('1', call)
  await readMany(vendor, ['1'])
  await readChanges(vendor, null, 1)
  await readAgreements(vendor, null)
  expect(await vendor.cancelOrder('1', 'why', call)).toEqual({ kind: 'final', message: 'no', status: 422 })
  expect(reports.map((report) => report.verb)).toEqual(Object.keys(alike(final)))
})

it('has no verb that the adapter lacks', () => {
  const least: VendorAdapter = alike(final)
  delete least.getOrders
  delete least.changes
  delete least.agreements
  const vendor = guardVendor(least, { breaker: guarded(final).breaker, concurrency: 1 })
  expect(vendor).not.toHaveProperty('getOrders')
  expect(vendor).not.toHaveProperty('changes')
  expect(vendor).not.toHaveProperty('agreements')
})

it.each([
  [1_700_000_000_000, 3_600_000],
  [Number.POSITIVE_INFINITY, 3_600_000],
  [0, 0],
  [-5, undefined],
  [Number.NaN, undefined],
  [null, undefined],
  ['soon', undefined],
])('rests for an hour at most, whatever an own adapter answers: %s', async (asked, rest) => {
  const pauses: number[] = []
  // JavaScript may say anything.
  const retryAfterMs = asked as number
  const answer = async () => ({ kind: 'retry', message: 'later', status: 429, ambiguous: false, retryAfterMs }) as const
  const { vendor } = guarded(answer, { onPause: (ms) => void pauses.push(ms) })
  const failed = await vendor.getOrder('1', call)
  expect('retryAfterMs' in failed ? failed.retryAfterMs : undefined).toBe(rest)
  expect(pauses).toEqual(rest ? [rest] : [])
})

it('a further request of a verb is not made on a slot that came too late', async () => {
  const backs: boolean[] = []
  const ages = [0, 1000, 0]
  const windows: VendorWindows = {
    take: async () => {
      const askedAt = performance.now() - (ages.shift() ?? 0)
      return { slot: { bucket: 'b', name: 'n', turn: 't', askedAt } }
    },
    giveBack: async (_slot, used) => void backs.push(used),
    close: async () => undefined,
  }
  const adapter: VendorAdapter = {
    ...alike(final),
    getOrder: async (_id, asked) => {
      await asked.turn?.()
      expect(await asked.turn?.()).toBe(null)
      return final()
    },
  }
  const { breaker } = guarded(final)
  await guardVendor(adapter, { breaker, concurrency: 1, windows }).getOrder('1', call)
  expect(backs).toEqual([true, false, true])
  expect(ages).toEqual([])
})

describe('the breaker', () => {
  it.each([undefined, 408, 429, 500, 503])(
    'opens when the vendor fails with %s, and calls are held',
    async (status) => {
      const { vendor, reports } = guarded(failing(status))
      await vendor.getOrder('1', call)
      await vendor.getOrder('1', call)
      expect(await vendor.getOrder('1', call)).toEqual({
        kind: 'retry',
        message: 'the vendor is not being called: it broke',
        retryAfterMs: 1_000,
        ambiguous: false,
        held: true,
      })
      expect(reports).toHaveLength(2)
    },
  )

  it.each([200, 301, 409, 425])('stays closed when the vendor lives and answers %i', async (status) => {
    const { vendor, breaker } = guarded(failing(status))
    for (let i = 0; i < 5; i++) await vendor.placeOrder(order, call)
    expect(breaker.state()).toBe('closed')
  })

  it('takes a final answer for a sign of life', async () => {
    const { vendor, breaker } = guarded(final)
    breaker.failed('retry')
    await vendor.getOrder('1', call)
    breaker.failed('retry')
    expect(breaker.state()).toBe('closed')
  })

  it('opens at once for a wrong configuration, and goes on when it is mended', async () => {
    const answers: VendorAnswer<never>[] = [{ kind: 'misconfigured', message: 'the key is not accepted', status: 401 }]
    const { vendor, breaker, clock } = guarded(async () => answers.shift() ?? final())
    await vendor.getOrder('1', call)
    expect(await vendor.getOrder('1', call)).toMatchObject({ held: true, message: expect.stringContaining('the key') })
    clock.now = 1_000
    expect(await vendor.getOrder('1', call)).toMatchObject({ kind: 'final' })
    expect(breaker.state()).toBe('closed')
  })

  it('does not count calls that our own stop ended', async () => {
    const stop = new AbortController()
    const { vendor, breaker } = guarded(async () => {
      stop.abort()
      return failing()()
    })
    await vendor.getOrder('1', stop)
    await vendor.getOrder('1', { signal: new AbortController().signal })
    expect(breaker.state()).toBe('closed')
  })

  it('counts an adapter that throws, whose words go only to whoever listens', async () => {
    const thrown = new Error(CANARY)
    const { vendor, reports } = guarded(() => Promise.reject(thrown))
    const answer = await vendor.placeOrder(order, call)
    expect(answer).toEqual({ kind: 'retry', message: 'the adapter threw in placeOrder', ambiguous: true })
    expect(reports).toMatchObject([{ verb: 'placeOrder', answer, thrown }])
  })
})

describe('the limit', () => {
  it('lets no more in at a time, and the first first', async () => {
    const order: string[] = []
    const inside: (() => void)[] = []
    const { vendor } = guarded(() => new Promise((resolve) => inside.push(() => resolve(final()))))
    const calls = ['a', 'b', 'c', 'd'].map((id) => vendor.getOrder(id, call).then(() => order.push(id)))
    await new Promise((resolve) => setImmediate(resolve))
    expect(inside).toHaveLength(2)
    while (order.length < 4) {
      for (const leave of inside.splice(0)) leave()
      await new Promise((resolve) => setImmediate(resolve))
      expect(inside.length).toBeLessThanOrEqual(2)
    }
    await Promise.all(calls)
    expect(order).toEqual(['a', 'b', 'c', 'd'])
  })

  it('lets whoever waits go when the process stops', async () => {
    const stop = new AbortController()
    const { vendor, reports } = guarded(() => new Promise(() => undefined), { concurrency: 1 })
    void vendor.getOrder('a', call)
    const waiting = vendor.getOrder('b', stop)
    stop.abort()
    expect(await waiting).toMatchObject({ kind: 'retry', held: true, ambiguous: false })
    expect(reports).toEqual([])
  })

  it('is never exceeded and never lost, whoever waits, leaves or stops', async () => {
    const step = fc.constantFrom('take', 'leave', 'leave twice', 'stop')
    const run = async (limit: number, steps: string[]) => {
      const places = createSemaphore(limit)
      const leaves: (() => void)[] = []
      const waiting: AbortController[] = []
      for (const one of steps) {
        if (one === 'stop') waiting.shift()?.abort()
        else if (one === 'take') {
          const stop = new AbortController()
          waiting.push(stop)
          void places.take(stop.signal).then((leave) => {
            if (leave) leaves.push(leave)
          })
        } else {
          const leave = leaves.shift()
          leave?.()
          if (one === 'leave twice') leave?.()
        }
        await new Promise((resolve) => setImmediate(resolve))
        expect(places.taken).toBe(leaves.length)
        expect(places.taken).toBeLessThanOrEqual(limit)
        if (places.waiting > 0) expect(places.taken).toBe(limit)
      }
      for (const stop of waiting) stop.abort()
      for (const leave of leaves) leave()
      expect(places).toMatchObject({ taken: 0, waiting: 0 })
      expect(await places.take(never.signal)).not.toBeNull()
    }
    const steps = fc.array(step, { maxLength: 40 })
    await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 3 }), steps, run), { numRuns: 50 })
  })
})
