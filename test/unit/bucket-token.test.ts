import { expect, test } from 'vitest'
import { askAhead, tokenOf } from '../../src/flow/to-feishu/bucket-token.js'
import type { TokenAnswer } from '../../src/flow/to-feishu/tokens.js'
import { createLogger } from '../../src/platform/logger.js'

const bucket = { id: 1, appId: 'cli_a', tenantKey: 'tk_a', api: 'update_result', epoch: 'e' }

function options(tenantToken: () => Promise<TokenAnswer>) {
  const held: unknown[] = []
  const query = async (_text: string, values: unknown[]) => {
    held.push(values)
    return { rowCount: 1 }
  }
  // Of a database and of tokens, these are all that is asked.
  const given = { database: { pool: { query } }, tokens: { tenantToken }, log: createLogger('silent') }
  return { held, given: given as unknown as Parameters<typeof tokenOf>[1] }
}

const none = (of: 'later' | 'tenant' | 'app', retryInMs: number): TokenAnswer => ({
  kind: 'unavailable',
  class: of,
  code: 7,
  reason: 'refused',
  retryInMs,
})

test.each([
  ['parks the tenant', 'tenant', ['tenant', 'cli_a', 'tk_a', '', 'refused', 7]],
  ['parks the app', 'app', ['app', 'cli_a', '', '', 'refused', 7]],
] as const)('%s when a person must act there', async (_, of, row) => {
  const { given, held } = options(async () => none(of, 60_000))
  expect(await tokenOf(bucket, given)).toEqual({ kind: 'none', reason: 'refused', restMs: 60_000 })
  expect(held).toEqual([row])
})

test('parks nothing when waiting helps, and rests for a tenth of a second at least', async () => {
  const { given, held } = options(async () => none('later', 3))
  expect(await tokenOf(bucket, given)).toEqual({ kind: 'none', reason: 'refused', restMs: 100 })
  expect(held).toEqual([])
})

test('a question ahead of the claims fails without a consequence', async () => {
  const { given } = options(() => Promise.reject(new Error('away')))
  await expect(askAhead(bucket, given)).resolves.toBeUndefined()
  await expect(tokenOf(bucket, given)).rejects.toThrow('away')
})
