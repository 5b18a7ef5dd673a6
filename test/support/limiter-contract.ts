import { beforeEach, describe, expect, it } from 'vitest'
import { isFresh, type Limiter, type Slot } from '../../src/platform/limiter/limiter.js'
import { asGranted, asLost, names, openBucket, type Store, terms } from './limiter.js'

const three = terms([{ limit: 3, windowMs: 1000 }])
const both = terms([
  { limit: 2, windowMs: 100 },
  { limit: 3, windowMs: 1000 },
])
const holdMs = three.timeoutMs + 5_000

/** What every limiter promises, whatever keeps its state. `open` answers an empty store. */
export function describeLimiter(name: string, open: () => Promise<Store>): void {
  describe(`the limiter in ${name}`, () => {
    let store: Store
    let limiter: Limiter

    beforeEach(async () => {
      store = await open()
      limiter = store.process()
    })

    const answered = (slot: Slot | undefined, answeredMsAgo = 0) => {
      if (slot === undefined) throw new Error('no slot')
      return { slot, used: true, answeredMsAgo } as const
    }

    it('grants as many as the window holds, first come first served', async () => {
      await openBucket(limiter, 'a', three)
      const grant = asGranted(await limiter.take('a', names(5), three))
      expect(grant.slots.map((slot) => slot.name)).toEqual(names(3))
      expect(grant.retryInMs).toBe(1001)
      expect(await limiter.take('a', names(1, 5), three)).toEqual({ kind: 'wait', retryInMs: 1001 })
    })

    it('tells with the last slot when the next one can come free, and nothing while there are more', async () => {
      await openBucket(limiter, 'a', three)
      expect(asGranted(await limiter.take('a', names(2), three)).retryInMs).toBeUndefined()
      expect(asGranted(await limiter.take('a', names(1, 2), three)).retryInMs).toBe(1001)
    })

    it('frees a slot one window after the answer, not after the grant', async () => {
      await openBucket(limiter, 'a', three)
      const { slots } = asGranted(await limiter.take('a', names(3), three))
      store.clock.now += 2500
      await limiter.giveBack([answered(slots[0])])
      store.clock.now += 1000
      expect(await limiter.take('a', names(1, 5), three)).toEqual({ kind: 'wait', retryInMs: 1 })
      store.clock.now += 1
      expect(asGranted(await limiter.take('a', names(2, 5), three)).slots).toHaveLength(1)
    })

    it('counts from the answer when the slot is given back later', async () => {
      await openBucket(limiter, 'a', three)
      const { slots } = asGranted(await limiter.take('a', names(3), three))
      store.clock.now += 700
      await limiter.giveBack([answered(slots[0], 600)])
      expect(await limiter.take('a', names(1, 5), three)).toEqual({ kind: 'wait', retryInMs: 401 })
    })

    it('frees an unused slot at once', async () => {
      await openBucket(limiter, 'a', three)
      const { slots } = asGranted(await limiter.take('a', names(3), three))
      await limiter.giveBack(slots.map((slot) => ({ slot, used: false })))
      expect(asGranted(await limiter.take('a', names(3, 5), three)).slots).toHaveLength(3)
    })

    it('holds a slot without an answer for its timeout, 5 s and one window', async () => {
      await openBucket(limiter, 'a', three)
      await limiter.take('a', names(3), three)
      store.clock.now += holdMs + 999
      expect(await limiter.take('a', names(1, 5), three)).toMatchObject({ kind: 'wait' })
      store.clock.now += 1
      expect(asGranted(await limiter.take('a', names(3, 5), three)).slots).toHaveLength(3)
    })

    it('counts a slot that it has forgotten from its answer', async () => {
      await openBucket(limiter, 'a', three)
      const { slots } = asGranted(await limiter.take('a', names(3), three))
      store.clock.now += holdMs + 5_000
      expect(asGranted(await limiter.take('a', [], three)).slots).toEqual([])
      await limiter.giveBack(slots.map((slot) => answered(slot, 300)))
      expect(await limiter.take('a', names(1, 5), three)).toEqual({ kind: 'wait', retryInMs: 701 })
    })

    it('holds all windows together and says when the later one lets a call through', async () => {
      await openBucket(limiter, 'a', both)
      const first = asGranted(await limiter.take('a', names(9), both))
      expect(first.slots).toHaveLength(2)
      await limiter.giveBack(first.slots.map((slot) => answered(slot)))
      store.clock.now += 101
      const second = asGranted(await limiter.take('a', names(9, 9), both))
      expect(second.slots).toHaveLength(1)
      expect(second.retryInMs).toBe(900)
    })

    it('keeps a long window when another caller knows only a short one', async () => {
      await openBucket(limiter, 'a', both)
      const { slots } = asGranted(await limiter.take('a', names(2), both))
      await limiter.giveBack(slots.map((slot) => answered(slot)))
      store.clock.now += 500
      await limiter.take('a', [], terms([{ limit: 2, windowMs: 100 }]))
      expect(asGranted(await limiter.take('a', names(2, 5), both)).slots).toHaveLength(1)
    })

    it('keeps buckets apart and gives back to many at once', async () => {
      await openBucket(limiter, 'a', three)
      await openBucket(limiter, 'b', three)
      const a = asGranted(await limiter.take('a', names(3), three))
      const b = asGranted(await limiter.take('b', names(3), three))
      await limiter.giveBack([...a.slots, ...b.slots].map((slot) => ({ slot, used: false })))
      expect(asGranted(await limiter.take('a', names(3), three)).slots).toHaveLength(3)
      expect(asGranted(await limiter.take('b', names(3), three)).slots).toHaveLength(3)
    })

    it('counts two calls although the caller gave them one name', async () => {
      await openBucket(limiter, 'a', three)
      await limiter.take('a', names(2), three)
      expect(asGranted(await limiter.take('a', names(2), three)).slots).toHaveLength(1)
    })

    it('closes a bucket for everyone and never shortens it', async () => {
      await openBucket(limiter, 'a', three)
      await limiter.close('a', 5000)
      await limiter.close('a', 1000)
      expect(await store.process(7_000).take('a', names(1), three)).toEqual({ kind: 'wait', retryInMs: 5000 })
      store.clock.now += 5000
      expect(asGranted(await limiter.take('a', names(1), three)).slots).toHaveLength(1)
    })

    it('lets a slot be used for 250 ms of the clock of its own process', async () => {
      await openBucket(limiter, 'a', three)
      const [slot] = asGranted(await limiter.take('a', names(1), three)).slots
      if (slot === undefined) throw new Error('no slot')
      expect(isFresh(slot, slot.askedAt + 250)).toBe(true)
      expect(isFresh(slot, slot.askedAt + 251)).toBe(false)
    })

    it('lets a slot grow old while its answer is on the way', async () => {
      await openBucket(limiter, 'a', three)
      const taking = limiter.take('a', names(1), three)
      store.clock.now += 251
      const [slot] = asGranted(await taking).slots
      if (slot === undefined) throw new Error('no slot')
      expect(isFresh(slot, store.clock.now)).toBe(false)
    })

    describe('that lost a bucket', () => {
      it('says so for a bucket that it does not know, and grants nothing', async () => {
        expect(await limiter.take('a', names(1), three)).toMatchObject({ kind: 'lost' })
        await openBucket(limiter, 'a', three)
        await store.lose()
        expect(await limiter.take('a', names(1), three)).toMatchObject({ kind: 'lost' })
      })

      it('says so under another epoch, and leaves the bucket to those who have the right one', async () => {
        await openBucket(limiter, 'a', three)
        await limiter.take('a', names(2), three)
        expect(await limiter.take('a', names(1), { ...three, epoch: '0' })).toMatchObject({ kind: 'lost' })
        expect(asGranted(await limiter.take('a', names(2, 5), three)).slots).toHaveLength(1)
      })

      it('counts the uses that the rows know', async () => {
        await openBucket(limiter, 'a', three, [
          { name: 'answered', answeredMsAgo: 400 },
          { name: 'long ago', answeredMsAgo: 1001 },
          { name: 'in flight', arrivesWithinMs: 2000 },
        ])
        expect(asGranted(await limiter.take('a', names(3), three)).slots).toHaveLength(1)
        store.clock.now += 601
        expect(asGranted(await limiter.take('a', names(3, 5), three)).slots).toHaveLength(1)
        store.clock.now += 2_399
        expect(await limiter.take('a', names(1, 9), three)).toMatchObject({ kind: 'wait' })
        store.clock.now += 1
        expect(asGranted(await limiter.take('a', names(3, 9), three)).slots).toHaveLength(1)
      })

      it('is not opened by a caller that was overtaken', async () => {
        const slow = asLost(await limiter.take('a', [], three))
        const next = { ...three, epoch: '2' }
        expect(await openBucket(limiter, 'a', next)).toBe(true)
        await limiter.take('a', names(3), next)
        expect(await limiter.rebuild('a', slow, [], { ...three, epoch: '3' })).toBe(false)
        expect(await limiter.take('a', names(1, 5), next)).toMatchObject({ kind: 'wait' })
      })

      it('is not opened by a caller that was overtaken and then lost again', async () => {
        const slow = asLost(await limiter.take('a', names(1), three))
        await store.lose()
        await store.process().take('a', names(1), three)
        expect(await limiter.rebuild('a', slow, [], three)).toBe(false)
      })

      it('is not opened with what was read before other calls were granted', async () => {
        await openBucket(limiter, 'a', three)
        const stale = asLost(await limiter.take('a', [], { ...three, epoch: '0' }))
        await limiter.take('a', names(1), three)
        expect(await limiter.rebuild('a', stale, [], { ...three, epoch: '2' })).toBe(false)
      })

      it('counts a call once that was in flight at the rebuild and is answered after it', async () => {
        await openBucket(limiter, 'a', three)
        const { slots } = asGranted(await limiter.take('a', names(2), three))
        await store.lose()
        const next = { ...three, epoch: '2' }
        const rows = slots.map((slot) => ({ name: slot.name, arrivesWithinMs: 8000 }))
        await openBucket(limiter, 'a', next, rows)
        expect(asGranted(await limiter.take('a', names(3, 5), next)).slots).toHaveLength(1)
        await limiter.giveBack([answered(slots[0]), { slot: slots[1] as Slot, used: false }])
        expect(asGranted(await limiter.take('a', names(3, 9), next)).slots).toHaveLength(1)
        store.clock.now += 1001
        expect(asGranted(await limiter.take('a', names(3, 15), next)).slots).toHaveLength(1)
      })

      it('counts a call once that was answered between the rows being read and the rebuild', async () => {
        await openBucket(limiter, 'a', three)
        const { slots } = asGranted(await limiter.take('a', names(2), three))
        await store.lose()
        const next = { ...three, epoch: '2' }
        const lost = asLost(await limiter.take('a', [], next))
        const rows = slots.map((slot) => ({ name: slot.name, arrivesWithinMs: 8000 }))
        await limiter.giveBack(slots.map((slot) => answered(slot)))
        expect(await limiter.rebuild('a', lost, rows, next)).toBe(true)
        expect(asGranted(await limiter.take('a', names(3, 5), next)).slots).toHaveLength(1)
        store.clock.now += 1001
        expect(asGranted(await limiter.take('a', names(3, 9), next)).slots).toHaveLength(2)
      })
    })
  })
}
