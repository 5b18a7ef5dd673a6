import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { atMostEvery } from '../../src/flow/inbox/at-most-every.js'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

function teller() {
  const tell = vi.fn()
  const news = atMostEvery(20, tell)
  return { told: () => tell.mock.calls.length, news }
}

test('tells at once, and of all that comes soon after that together', () => {
  const { told, news } = teller()
  news.tell()
  expect(told()).toBe(1)
  for (let more = 0; more < 100; more += 1) news.tell()
  expect(told()).toBe(1)
  vi.advanceTimersByTime(20)
  expect(told()).toBe(2)
  vi.advanceTimersByTime(1000)
  expect(told()).toBe(2)
  news.tell()
  expect(told()).toBe(3)
})

test('tells in a long burst once in each while', () => {
  const { told, news } = teller()
  for (let ms = 0; ms < 200; ms += 1) {
    news.tell()
    vi.advanceTimersByTime(1)
  }
  expect(told()).toBe(11)
})

test('leaves nothing untold when it is stopped, and no timer', async () => {
  const { told, news } = teller()
  news.tell()
  await news.stop()
  expect(told()).toBe(1)
  expect(vi.getTimerCount()).toBe(0)
  const other = teller()
  other.news.tell()
  other.news.tell()
  await other.news.stop()
  expect(other.told()).toBe(2)
  expect(vi.getTimerCount()).toBe(0)
})
