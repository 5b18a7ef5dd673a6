import { expect, test } from 'vitest'
import { createPlaces } from '../../src/flow/to-feishu/places.js'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

test('gives places in the order in which they were asked for, each all that it asked for', async () => {
  const places = createPlaces(4)
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
  const places = createPlaces(4)
  expect(await places.take(50)).toBe(4)
})
