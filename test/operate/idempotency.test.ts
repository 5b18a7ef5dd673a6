import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createSealer } from '../../src/platform/crypto/sealer.js'
import { type Api, type Reply, secrets, sorted, startOperators, whileLocked } from './harness.js'
import { json } from './requests.js'
import * as rows from './rows.js'

let api: Api
beforeEach(async () => {
  api = await startOperators()
  await rows.addPolledOrder(api, '101', 'V-1')
})
afterEach(() => api.stop())

const query = async (text: string) => (await api.parts.database.pool.query(text)).rows
const cancel = (key: string, body: object = { reason: 'canary-reason' }, secret = secrets.all, path = '101/cancel') =>
  api.call('POST', `/v1/orders/${path}`, {
    secret,
    headers: { ...json, 'idempotency-key': key },
    body: JSON.stringify(body),
  })
const poll = (key: string) => api.call('POST', '/v1/orders/101/poll', { headers: { 'idempotency-key': key } })
const entries = async () => (await query(`SELECT outcome FROM audit ORDER BY id`)).map((row) => row.outcome)
const kept = () => query('SELECT status, answer_sealed IS NOT NULL AS answered FROM idempotency_keys')
/** As after a process that died before its first request did anything. */
const loseAnswer = (runsUntil: string) =>
  query(`UPDATE idempotency_keys SET status = NULL, answer_sealed = NULL, runs_until = now() + interval '${runsUntil}'`)

describe('a repeat with the same key', () => {
  it('gets the same status and body, and nothing is done again', async () => {
    const first = await poll('k-1')
    await query('DELETE FROM poll_schedule')
    const again = await poll('k-1')
    expect([again.status, again.body]).toEqual([202, first.body])
    expect([first, again].map(({ headers }) => headers.get('idempotency-replayed'))).toEqual([null, 'true'])
    expect(await entries()).toEqual(['done'])
    expect(api.hints).toEqual([['poll', '']])
  })

  it('gets a refusal again that was decided, as a problem', async () => {
    await rows.setOrder(api, '101', { state: 'completed' })
    const first = await cancel('k-1')
    await rows.setOrder(api, '101', { state: 'ordered' })
    const again = await cancel('k-1')
    expect([first.status, again.status, again.body]).toEqual([409, 409, first.body])
    expect(again.headers.get('content-type')).toContain('application/problem+json')
    expect((await cancel('k-2')).status).toBe(202)
  })

  it('is the same one with its members and parameters in another order', async () => {
    await cancel('k-1', { stage_name: 'a', reason: 'b' })
    const again = await cancel('k-1', { reason: 'b', stage_name: 'a' })
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([202, 'true'])
  })

  it('is known under a new encryption key as well', async () => {
    await cancel('k-1')
    const old = { id: 'k1', key: Buffer.alloc(32, 7) }
    const rotated = createSealer([{ id: 'k2', key: Buffer.alloc(32, 8) }, old])
    Object.assign(api.parts.sealer, rotated)
    expect((await cancel('k-1')).headers.get('idempotency-replayed')).toBe('true')
    expect((await cancel('k-1', {})).status).toBe(422)
  })
})

describe('another request with the same key', () => {
  it.each([
    ['another body', () => cancel('k-1', { reason: 'other' })],
    ['no body', () => api.call('POST', '/v1/orders/101/cancel', { headers: { 'idempotency-key': 'k-1' } })],
    ['another path', () => cancel('k-1', { reason: 'canary-reason' }, secrets.all, '102/cancel')],
    [
      'another method',
      () => api.call('DELETE', '/v1/orders/101/personal-data', { headers: { 'idempotency-key': 'k-1' } }),
    ],
    [
      'another query',
      () => api.call('DELETE', '/v1/orders/101/personal-data?force=true', { headers: { 'idempotency-key': 'k-1' } }),
    ],
  ])('is 422 with %s, and nothing is done', async (_what, request) => {
    await cancel('k-1')
    const reply = await request()
    expect([reply.status, reply.body['type']]).toEqual([422, '/docs/problems#idempotency-key-reused'])
    expect(await entries()).toEqual(['done'])
  })

  it('is 422 also after the first was lost, since that may have taken effect', async () => {
    await cancel('k-1')
    await loseAnswer('-1 second')
    expect((await cancel('k-1', {})).status).toBe(422)
  })

  it('runs when it comes with the secret of another API key', async () => {
    await cancel('k-1')
    expect((await cancel('k-1', {}, secrets.operate)).headers.get('idempotency-replayed')).toBeNull()
    expect(await kept()).toHaveLength(2)
  })
})

describe('while the first runs', () => {
  it('the others are 409 and come again soon; of twenty at once one takes effect', async () => {
    const lock = `SELECT 1 FROM lanes WHERE lane = 'order:101' FOR UPDATE`
    await query(`INSERT INTO lanes (lane) VALUES ('order:101') ON CONFLICT DO NOTHING`)
    const replies = await whileLocked(api, lock, 1, () => Promise.all(Array.from({ length: 20 }, () => cancel('k-1'))))
    const statuses = sorted(replies.map(({ status }) => status))
    expect(statuses.filter((status) => status === '202').length).toBeGreaterThan(0)
    expect(statuses.filter((status) => status !== '202' && status !== '409')).toEqual([])
    for (const { status, headers, body } of replies) {
      if (status !== 409) continue
      expect([body['type'], headers.get('retry-after')]).toEqual(['/docs/problems#idempotency-key-in-use', '1'])
    }
    expect(await entries()).toEqual(['done'])
  })

  it('a repeat is 409 until the time of the first is over, and then runs where that did nothing', async () => {
    await poll('k-1')
    await query('TRUNCATE audit')
    await loseAnswer('1 minute')
    expect((await poll('k-1')).body['type']).toBe('/docs/problems#idempotency-key-in-use')
    await loseAnswer('-1 second')
    const again = await poll('k-1')
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([202, null])
    expect(await entries()).toEqual(['done'])
    expect((await poll('k-1')).headers.get('idempotency-replayed')).toBe('true')
  })

  it('a process that dies behind the effect leaves a note of it: a repeat is told, and does nothing', async () => {
    await failToAnswer(() => poll('k-1'))
    expect(await entries()).toEqual(['done'])
    expect((await poll('k-1')).body['type']).toBe('/docs/problems#idempotency-key-in-use')
    await query(`UPDATE idempotency_keys SET runs_until = now()`)
    expect((await poll('k-1')).body['type']).toBe('/docs/problems#answer-lost')
    expect(await entries()).toEqual(['done'])
  })

  it('a first that comes back late, and was taken over, takes back what it did', async () => {
    const lock = `SELECT 1 FROM poll_schedule FOR UPDATE`
    const [late, taken] = await whileLocked(api, lock, 2, async () => {
      const first = poll('k-1')
      await expect.poll(kept).toEqual([{ status: null, answered: false }])
      await loseAnswer('-1 second')
      return Promise.all([first, poll('k-1')])
    })
    expect([late?.status, taken?.status]).toEqual([409, 202])
    expect(await entries()).toEqual(['done'])
    expect(await kept()).toEqual([{ status: 202, answered: true }])
  })
})

/** The write is committed, and what is read for its answer is not there. */
async function failToAnswer(request: () => Promise<Reply>): Promise<void> {
  const { database } = api.parts
  const away = async () => {
    throw new Error('the process died')
  }
  const real = { ...database }
  Object.assign(database, { prisma: away })
  expect((await request()).status).toBe(500)
  Object.assign(database, real)
}

describe('what is kept', () => {
  it('is for a day: then the key is free, also for another request', async () => {
    await cancel('k-1')
    await query(`UPDATE idempotency_keys SET created_at = now() - interval '23 hours 59 minutes'`)
    expect((await cancel('k-1')).headers.get('idempotency-replayed')).toBe('true')
    await query(`UPDATE idempotency_keys SET created_at = now() - interval '24 hours 1 second'`)
    const fresh = await cancel('k-1', {})
    expect([fresh.status, fresh.headers.get('idempotency-replayed')]).toEqual([202, null])
  })

  it('is nothing of a request that does not fit, and nothing of one that failed', async () => {
    expect((await cancel('k-1', { because: 'x' })).status).toBe(400)
    expect((await cancel('k-1', {}, secrets.read)).status).toBe(403)
    expect(await kept()).toEqual([])
    await query('ALTER TABLE audit RENAME TO audit_away')
    expect((await cancel('k-1', {})).status).toBe(500)
    expect(await kept()).toEqual([])
    await query('ALTER TABLE audit_away RENAME TO audit')
    expect((await cancel('k-1')).status).toBe(202)
  })

  it('cannot be read in the database, nor guessed from there', async () => {
    await cancel('canary-key')
    const dump = (
      await query(`SELECT encode(hash, 'escape') || encode(request, 'escape')
      || encode(answer_sealed, 'escape') AS all FROM idempotency_keys`)
    )[0]
    expect(dump.all).not.toMatch(/canary|background_check/)
    expect(api.log.join('')).not.toMatch(/canary/)
  })

  it('brings back nothing of a search, which is made again and is in the audit again', async () => {
    const search = () =>
      api.call('POST', '/v1/orders/search', {
        headers: { ...json, 'idempotency-key': 'k-1' },
        body: JSON.stringify({ email: 'a@example.com' }),
      })
    for (const time of [1, 2]) {
      expect((await search()).headers.get('idempotency-replayed')).toBeNull()
      expect(await entries()).toHaveLength(time)
    }
    expect(await kept()).toEqual([])
  })

  it('is not asked for where nothing is written', async () => {
    const headers = { 'idempotency-key': 'k-1' }
    for (const path of ['/v1/orders', '/v1/holds']) expect((await api.call('GET', path, { headers })).status).toBe(200)
    expect(await kept()).toEqual([])
  })
})

it.each(['', ' ', 'a b', 'x'.repeat(256), 'é'])('a key like %j is 400', async (key) => {
  const reply = await cancel(key)
  expect([reply.status, reply.body['errors']]).toEqual([
    400,
    [{ path: 'Idempotency-Key', message: 'expected 1 to 255 visible ASCII characters' }],
  ])
  expect(await entries()).toEqual([])
})

it.each(['!', '"quoted"', '~'.repeat(255)])('a key like %.10s is taken', async (key) => {
  expect((await cancel(key)).status).toBe(202)
  expect(await kept()).toHaveLength(1)
})
