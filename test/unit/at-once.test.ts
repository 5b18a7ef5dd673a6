import fc from 'fast-check'
import { expect, test } from 'vitest'
import { forEachAtOnce, groupBy } from '../../src/platform/at-once.js'

const aTurn = () => new Promise((resolve) => setImmediate(resolve))

test('each item once, in order of beginning, and never more at a time than allowed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(3), { maxLength: 20 }), fc.integer({ min: 1, max: 5 }), async (turns, atOnce) => {
      const begun: number[] = []
      let running = 0
      let most = 0
      await forEachAtOnce([...turns.entries()], atOnce, async ([index, pause]) => {
        begun.push(index)
        running += 1
        most = Math.max(most, running)
        for (let turn = 0; turn <= pause; turn += 1) await aTurn()
        running -= 1
      })
      expect(running).toBe(0)
      expect(begun).toEqual(turns.map((_, index) => index))
      expect(most).toBe(Math.min(atOnce, turns.length))
    }),
    { numRuns: 60 },
  )
})

test('a failure is told when nothing is under way any more, and others have been done', async () => {
  const done: number[] = []
  const work = async (item: number) => {
    if (item === 0) throw new Error('broken')
    await aTurn()
    done.push(item)
  }
  await expect(forEachAtOnce([0, 1, 2, 3], 2, work)).rejects.toThrow('broken')
  expect(done).toEqual([1, 2, 3])
})

test('what belongs together stays in its order', () => {
  expect(groupBy(['a1', 'b1', 'a2', 'c1', 'b2'], (item) => item.slice(0, 1))).toEqual([
    ['a1', 'a2'],
    ['b1', 'b2'],
    ['c1'],
  ])
})
