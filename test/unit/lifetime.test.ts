import { expect, test } from 'vitest'
import { Lifetime } from '../../src/platform/lifetime.js'

function part(name: string, log: string[], failure?: Error) {
  return {
    stop: async () => {
      log.push(name)
      if (failure) throw failure
    },
  }
}

test('parts stop in reverse, once, however often it is asked', async () => {
  const log: string[] = []
  const lifetime = new Lifetime()
  lifetime.add(part('a', log))
  await lifetime.start(Promise.resolve(part('b', log)))
  await Promise.all([lifetime.stop(), lifetime.stop()])
  await lifetime.stop()
  expect(log).toEqual(['b', 'a'])
})

test('a part that does not start stops those before it', async () => {
  const log: string[] = []
  const lifetime = new Lifetime()
  lifetime.add(part('a', log))
  await expect(lifetime.start(Promise.reject(new Error('no port')))).rejects.toThrow('no port')
  expect(log).toEqual(['a'])
})

test('a part that does not stop does not keep the others from it', async () => {
  const log: string[] = []
  const lifetime = new Lifetime()
  lifetime.add(part('a', log))
  lifetime.add(part('b', log, new Error('stuck')))
  lifetime.add({
    stop: () => {
      throw new Error('at once')
    },
  })
  await expect(lifetime.stop()).rejects.toThrow(AggregateError)
  expect(log).toEqual(['b', 'a'])
})

test('a part that comes up while all is being stopped is stopped, too', async () => {
  const log: string[] = []
  const lifetime = new Lifetime()
  let up: (value: ReturnType<typeof part>) => void = () => undefined
  const starting = lifetime.start(
    new Promise<ReturnType<typeof part>>((resolve) => {
      up = resolve
    }),
  )
  await lifetime.stop()
  up(part('late', log))
  await expect(starting).rejects.toThrow()
  expect(log).toEqual(['late'])
})

test('parts that do not need one another are all told to stop before any has ended', async () => {
  const told: string[] = []
  let end: () => void = () => undefined
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  const slow = (name: string) => ({
    stop: () => {
      told.push(name)
      return ended
    },
  })
  const lifetime = new Lifetime('at once')
  lifetime.add(slow('a'))
  lifetime.add(slow('b'))
  lifetime.add(part('c', told, new Error('stuck')))
  const stopped = lifetime.stop()
  expect(told).toEqual(['a', 'b', 'c'])
  end()
  await expect(stopped).rejects.toThrow('not everything stopped cleanly')
})
