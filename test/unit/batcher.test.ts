import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Batcher, createBatcher } from '../../src/platform/batcher.js'

/** One item for each pause, numbered; at 0 the next one comes a moment later. Settles when all were handed over. */
async function addAll(batcher: Batcher<number>, pauses: readonly number[]): Promise<void> {
  const added: Array<Promise<void>> = []
  for (const [index, pause] of pauses.entries()) {
    added.push(batcher.add(index))
    if (pause === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await Promise.all(added)
  await batcher.idle()
}

test('hands over what came together, in order, never two batches at once, none larger than allowed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(3), { maxLength: 40 }), fc.integer({ min: 1, max: 7 }), async (pauses, most) => {
      const handed: number[][] = []
      let running = 0
      const batcher = createBatcher<number>(most, async (batch) => {
        running += 1
        expect(running).toBe(1)
        await new Promise((resolve) => setImmediate(resolve))
        handed.push(batch)
        running -= 1
      })
      await addAll(batcher, pauses)
      expect(handed.flat()).toEqual(pauses.map((_, index) => index))
      expect(Math.max(0, ...handed.map((batch) => batch.length))).toBeLessThanOrEqual(most)
    }),
    { numRuns: 60 },
  )
})

test('a batch that fails fails its items and nobody else’s', async () => {
  const batcher = createBatcher<number>(2, async (batch) => {
    if (batch.includes(1)) throw new Error('broken')
  })
  const settled = await Promise.allSettled([0, 1, 2, 3].map((item) => batcher.add(item)))
  expect(settled.map((each) => each.status)).toEqual(['rejected', 'rejected', 'fulfilled', 'fulfilled'])
  await batcher.add(4)
  await batcher.idle()
})

test('with more at once, only full batches go beside another, and each item goes once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(2), { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), async (pauses, atOnce) => {
      const most = 4
      const handed: number[] = []
      let running = 0
      const hand = async (batch: number[]) => {
        running += 1
        expect(running).toBeLessThanOrEqual(atOnce)
        if (running > 1) expect(batch).toHaveLength(most)
        await new Promise((resolve) => setTimeout(resolve, 1))
        handed.push(...batch)
        running -= 1
      }
      const batcher = createBatcher<number>(most, hand, 0, atOnce)
      await addAll(batcher, pauses)
      expect(handed.toSorted((a, b) => a - b)).toEqual(pauses.map((_, index) => index))
    }),
    { numRuns: 60 },
  )
})

test('a full batch does not wait for the one that is under way', async () => {
  const waiting: Array<() => void> = []
  const batcher = createBatcher<number>(1, () => new Promise((resolve) => waiting.push(resolve)), 0, 2)
  const added = [batcher.add(0), batcher.add(1)]
  await expect.poll(() => waiting.length).toBe(2)
  for (const end of waiting) end()
  await Promise.all(added)
})
