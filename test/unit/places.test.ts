import { afterEach, expect, test, vi } from 'vitest'
import { createPlaces } from '../../src/flow/to-feishu/places.js'

const four = { most: 4, mostSlow: 2, slowAfterMs: 1000 }

afterEach(() => vi.useRealTimers())

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

test('gives places in the order in which they were asked for, each all that it asked for', async () => {
  const places = createPlaces(four)
  const served: string[] = []
  const ask = (name: string, count: number) => places.take(count).then((got) => served.push(`${name}${got}`))
  const all = [ask('a', 3), ask('b', 2), ask('c', 1)]
  await turn()
  expect(served).toEqual(['a3'])
  places.giveBack(1)
  await turn()
  expect(served).toEqual(['a3', 'b2'])
  places.giveBack(2)
  await Promise.all(all)
  expect(served).toEqual(['a3', 'b2', 'c1'])
})

test('gives all that there are to whoever asks for more', async () => {
  const places = createPlaces(four)
  expect(await places.take(50)).toBe(4)
})

test('a call that takes long leaves its place to others, but no more calls than may', async () => {
  vi.useFakeTimers()
  const places = createPlaces(four)
  await places.take(4)
  const ends = Array.from({ length: 4 }, () => places.begin())
  vi.advanceTimersByTime(1000)
  expect(await places.take(2)).toBe(2)
  let third = 0
  const waits = places.take(1).then((got) => {
    third = got
  })
  await Promise.resolve()
  expect(third).toBe(0)
  // Of the two that left, one ends: its place went to others before. Then one ends that had kept its own.
  ends[0]?.()
  await Promise.resolve()
  expect(third).toBe(0)
  ends[3]?.()
  await waits
  expect(third).toBe(1)
})
