import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createLogger } from '../../src/platform/logger.js'
import { startLoop } from '../../src/platform/loop.js'

const log = createLogger('silent', { write: () => undefined })

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

describe('a loop', () => {
  test('runs one turn at a time, and many wakes are one turn', async () => {
    let running = 0
    let turns = 0
    let most = 0
    const loop = startLoop({
      name: 'x',
      everyMs: 1000,
      log,
      turn: async () => {
        running += 1
        most = Math.max(most, running)
        await new Promise((resolve) => setTimeout(resolve, 5))
        running -= 1
        turns += 1
        return 1000
      },
    })
    await vi.advanceTimersByTimeAsync(50)
    for (let wake = 0; wake < 10; wake += 1) loop.wake()
    await vi.advanceTimersByTimeAsync(50)
    expect({ turns, most }).toEqual({ turns: 2, most: 1 })
    await loop.stop()
  })

  test('does not lose a wake that comes during a turn', async () => {
    let turns = 0
    const loop = startLoop({
      name: 'x',
      everyMs: 1000,
      log,
      turn: async () => {
        turns += 1
        await Promise.resolve()
        if (turns === 1) loop.wake()
        return 1000
      },
    })
    await vi.advanceTimersByTimeAsync(1)
    expect(turns).toBe(2)
    await loop.stop()
  })

  test('rests no longer than its interval', async () => {
    let turns = 0
    const turn = async () => {
      turns += 1
      return Number.POSITIVE_INFINITY
    }
    const loop = startLoop({ name: 'x', everyMs: 1000, log, turn })
    await vi.advanceTimersByTimeAsync(3500)
    expect(turns).toBe(4)
    await loop.stop()
  })

  test.each(['rejects', 'throws'])('goes on after a turn that %s, with a pause that no wake shortens', async (how) => {
    let turns = 0
    const failures: string[] = []
    const loop = startLoop({
      name: 'x',
      everyMs: 1000,
      log,
      onFailure: (name) => failures.push(name),
      turn: () => {
        turns += 1
        if (how === 'throws') throw new Error('broken')
        return Promise.reject(new Error('broken'))
      },
    })
    for (let step = 0; step < 100; step += 1) {
      loop.wake()
      await vi.advanceTimersByTimeAsync(1)
    }
    expect(turns).toBe(1)
    await vi.advanceTimersByTimeAsync(900)
    expect(turns).toBeGreaterThan(1)
    expect(failures.length).toBe(turns)
    await loop.stop()
  })

  test('stops after the turn that is under way, and twice is harmless', async () => {
    let finish: () => void = () => undefined
    let aborted = false
    const loop = startLoop({
      name: 'x',
      everyMs: 1000,
      log,
      turn: (signal) =>
        new Promise((resolve) => {
          finish = () => resolve(0)
          signal.addEventListener('abort', () => {
            aborted = true
          })
        }),
    })
    await vi.advanceTimersByTimeAsync(1)
    let stopped = false
    const stopping = loop.stop().then(() => {
      stopped = true
    })
    await vi.advanceTimersByTimeAsync(1)
    expect({ stopped, aborted }).toEqual({ stopped: false, aborted: true })
    finish()
    await stopping
    await loop.stop()
  })
})
