import { afterAll, beforeAll, expect, inject, onTestFinished, test, vi } from 'vitest'
import { createReads } from '../../src/flow/to-feishu/reads.js'
import type { FeishuReply } from '../../src/flow/to-feishu/reply.js'
import type { Tokens } from '../../src/flow/to-feishu/tokens.js'
import { type Database, openDatabase } from '../../src/platform/database/database.js'
import { migrate } from '../../src/platform/database/migrate.js'
import type { Limiter } from '../../src/platform/limiter/limiter.js'
import { memoryLimiter } from '../../src/platform/limiter/memory.js'
import { createLogger } from '../../src/platform/logger.js'
import { freshSchema } from '../support/postgres.js'

let database: Database

beforeAll(async () => {
  const url = freshSchema(inject('databaseUrl'))
  await migrate(url)
  database = openDatabase({ url, log: createLogger('silent') })
})

afterAll(() => database.stop())

const question = { api: 'tripartite_agreements.list', query: { application_id: '7001' } } as const
const answered: FeishuReply = { kind: 'answer', httpStatus: 200, code: 0, data: { items: [] } }

/** Reads of one tenant against a Feishu that gives these answers, and what it was asked with. */
function readsOf(
  tenantKey: string,
  replies: readonly FeishuReply[],
  tokens: readonly string[] = ['t-1'],
  limiter: Limiter = memoryLimiter(),
) {
  const used: string[] = []
  const evicted: string[] = []
  const source: Tokens = {
    tenantToken: async () => ({ kind: 'token', token: tokens[evicted.length] ?? 'none' }),
    evict: async (_appId, _tenantKey, token) => void evicted.push(token),
    ticketArrived: async () => undefined,
    stop: async () => undefined,
  }
  const reads = createReads({
    database,
    limiter,
    tokens: source,
    clientOf: () => ({
      call: async (_request, { token, mayWrite }) => {
        if (mayWrite?.() === false) return { kind: 'withdrawn' }
        used.push(token)
        return replies[used.length - 1] ?? answered
      },
      stop: async () => undefined,
    }),
    windowsOf: () => [{ limit: 2, windowMs: 60_000 }],
    timeoutMs: 1000,
  })
  return { ask: () => reads.ask('cli_a', tenantKey, question), used, evicted }
}

test('asks no oftener than the windows of the method allow', async () => {
  const { ask, used } = readsOf('tk_windows', [])
  expect([await ask(), await ask()]).toEqual([answered, answered])
  expect(await ask()).toMatchObject({ kind: 'no_slot' })
  expect(used).toHaveLength(2)
})

test.each<[string, FeishuReply]>([
  ['429', { kind: 'answer', httpStatus: 429, code: 99991400, resetMs: 7000 }],
  ['400', { kind: 'answer', httpStatus: 400, code: 99991400 }],
  ['429 without a readable answer', { kind: 'lost', httpStatus: 429, message: 'not in Feishu’s form' }],
])('asks nothing more for a while when Feishu says that it is too much: %s', async (name, reply) => {
  // However long it takes to ask again, the rest that Feishu wants is not over.
  vi.spyOn(performance, 'now').mockReturnValue(performance.now())
  onTestFinished(() => void vi.restoreAllMocks())
  const { ask, used } = readsOf(`tk_${name}`, [reply])
  expect(await ask()).toEqual(reply)
  expect(await ask()).toMatchObject({ kind: 'no_slot' })
  expect(used).toHaveLength(1)
})

test('is not sent when the epoch was read too long ago: others may have rebuilt the window meanwhile', async () => {
  const clock = { aheadMs: 0 }
  const now = performance.now.bind(performance)
  vi.spyOn(performance, 'now').mockImplementation(() => now() + clock.aheadMs)
  onTestFinished(() => void vi.restoreAllMocks())
  const limiter = memoryLimiter()
  const standsStill = { aheadMs: 6000 }
  const take: Limiter['take'] = (...asked) => {
    clock.aheadMs += standsStill.aheadMs
    return limiter.take(...asked)
  }
  const { ask, used } = readsOf('tk_still', [], ['t-1'], { ...limiter, take })
  expect(await ask()).toEqual({ kind: 'withdrawn' })
  standsStill.aheadMs = 0
  expect(await ask()).toEqual(answered)
  expect(used).toHaveLength(1)
})

test('a refused token is forgotten, and the question is asked once more with the next', async () => {
  const refused: FeishuReply = { kind: 'answer', httpStatus: 400, code: 99991663 }
  const { ask, used, evicted } = readsOf('tk_refused', [refused], ['t-1', 't-2'])
  expect(await ask()).toEqual(answered)
  expect([used, evicted]).toEqual([['t-1', 't-2'], ['t-1']])
})
