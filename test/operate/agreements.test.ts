import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openOtherBody } from '../../src/flow/outbox/bodies.js'
import type { Settled } from '../../src/flow/outbox/settlement.js'
import type { Question, ReadReply } from '../../src/flow/to-feishu/reads.js'
import { dead, delivered } from '../support/lane-room.js'
import { settleDue } from '../support/settle-due.js'
import { type Api, itemsOf, secrets, startOperators, whileLocked } from './harness.js'

let api: Api
beforeEach(async () => {
  api = await startOperators()
})
afterEach(() => api.stop())

const path = '/v1/tripartite-agreements'
const id = '7400000000000000301'
const applicationId = '7400000000000000401'
const json = { 'content-type': 'application/json' }
const time = 1_767_315_600_000

const send = (method: string, to: string, body?: unknown, secret = secrets.all) =>
  api.call(method, to, { secret, ...(body !== undefined && { headers: json, body: JSON.stringify(body) }) })
const put = (body: object, of = id) => send('PUT', `${path}/${of}`, { tenant_key: 'tk_a', ...body })
const create = (body: object) =>
  send('POST', path, { tenant_key: 'tk_a', application_id: applicationId, state: 1, ...body })
const remove = (of = id) => send('DELETE', `${path}/${of}?tenant_key=tk_a`)
const retry = (delivery: unknown) => send('POST', `/v1/deliveries/${String(delivery)}/retry`)

/** What lies in the lanes, in their order. */
async function lying(lane = 'agreement%') {
  const found = await api.parts.database.pool.query<{
    id: string
    lane: string
    api: string
    state: string
    body_sealed: Buffer
  }>('SELECT id, lane, api, state, body_sealed FROM deliveries WHERE lane LIKE $1 ORDER BY lane, seq', [lane])
  return found.rows.map((row) => ({
    id: row.id,
    lane: row.lane,
    api: row.api,
    state: row.state,
    body: openOtherBody(api.parts.sealer, row.lane, row.api, row.body_sealed).body,
  }))
}

const settle = (settled: Settled) => settleDue(api.parts, settled)

describe('a change', () => {
  it('waits for Feishu in the lane of its agreement, and the answer says what is sent', async () => {
    const reply = await put({ state: 3, modify_time: time })
    const [waiting] = await lying()
    expect(reply).toMatchObject({ status: 202 })
    expect(reply.body).toEqual({
      id,
      app_id: 'cli_a',
      tenant_key: 'tk_a',
      state: 3,
      modify_time: String(time),
      unchanged: false,
      delivery_id: waiting?.id,
    })
    expect(waiting).toMatchObject({
      lane: `agreement:cli_a:tk_a:${id}`,
      api: 'tripartite_agreements.update',
      state: 'pending',
      body: { tripartite_agreement_id: id, state: 3, modify_time: String(time) },
    })
    expect(api.hints.map(([topic]) => topic)).toEqual(['pump'])
    const shown = await api.call('GET', `/v1/deliveries/${waiting?.id}`)
    expect(shown.body['request']).toEqual(waiting?.body)
  })

  it('that is older than the last is refused, and nothing is sent', async () => {
    await put({ state: 3, modify_time: time })
    const reply = await put({ state: 4, modify_time: time - 1 })
    expect(reply).toMatchObject({ status: 409, body: { type: '/docs/problems#agreement-changed-later' } })
    expect(reply.body['detail']).toContain(String(time))
    expect(await lying()).toHaveLength(1)
    expect((await put({ state: 4, modify_time: String(time) })).status).toBe(202)
    expect((await lying()).map((each) => each.body)).toMatchObject([{ state: 3 }, { state: 4 }])
  })

  it('that takes seconds for milliseconds is older than anything', async () => {
    expect(await put({ state: 3, modify_time: 1_767_315_600 })).toMatchObject({ status: 409 })
    expect(await lying()).toEqual([])
  })

  it('without a time is made now, or at the time of the last when that is later', async () => {
    const before = Date.now()
    const first = await put({ state: 3 })
    expect(Number(first.body['modify_time'])).toBeGreaterThanOrEqual(before)
    expect(Number(first.body['modify_time'])).toBeLessThanOrEqual(Date.now())
    const ahead = Date.now() + 3_600_000
    await put({ state: 4, modify_time: ahead })
    expect(await put({ state: 5 })).toMatchObject({ status: 202, body: { modify_time: String(ahead) } })
  })

  it('that was accepted as the last is not sent again, unless it died', async () => {
    const first = await put({ state: 3, modify_time: time })
    const unchanged = { ...first.body, unchanged: true }
    expect(await put({ state: 3, modify_time: time })).toMatchObject({ status: 202, body: unchanged })
    await settle(delivered)
    expect(await put({ state: 3, modify_time: time })).toMatchObject({ status: 202, body: unchanged })
    expect(await lying()).toHaveLength(1)
    await put({ state: 4, modify_time: time })
    await settle(dead)
    const again = await put({ state: 4, modify_time: time })
    expect(again.body['unchanged']).toBe(false)
    expect((await lying()).map((each) => each.state)).toEqual(['delivered', 'dead', 'pending'])
  })

  it('is one of many at once: times never go back along the lane', async () => {
    await api.parts.database.pool.query('INSERT INTO lanes (lane) VALUES ($1)', [`agreement:cli_a:tk_a:${id}`])
    const times = [5, 1, undefined, 4, 2, 6]
    const replies = await whileLocked(api, 'SELECT 1 FROM lanes FOR UPDATE', times.length, () =>
      Promise.all(
        times.map((ahead, at) => put({ state: at + 1, modify_time: ahead === undefined ? undefined : time + ahead })),
      ),
    )
    const taken = replies.filter((reply) => reply.status === 202)
    expect(replies.filter((reply) => reply.status === 409)).toHaveLength(times.length - taken.length)
    const sent = (await lying()).map(({ body }) => Number('modify_time' in body ? body.modify_time : 0))
    expect(sent).toHaveLength(taken.length)
    expect(sent).toEqual(sent.toSorted((one, other) => one - other))
  })

  it('of one tenant is none of another', async () => {
    await put({ state: 3, modify_time: time })
    const other = await put({ tenant_key: 'tk_b', state: 3, modify_time: time - 1 })
    expect(other.status).toBe(202)
    expect((await lying()).map((each) => each.lane)).toEqual([
      `agreement:cli_a:tk_a:${id}`,
      `agreement:cli_a:tk_b:${id}`,
    ])
  })

  it.each([
    ['state', { state: 0 }],
    ['state', { state: 10 }],
    ['state', { state: 1.5 }],
    ['state', { state: '3' }],
    ['state', {}],
    ['modify_time', { state: 3, modify_time: 'canary' }],
    ['modify_time', { state: 3, modify_time: 9_999_999_999_999 }],
    ['modify_time', { state: 3, modify_time: '9999999999999' }],
    ['modify_time', { state: 3, modify_time: -1 }],
    ['tenant_key', { state: 3, tenant_key: '' }],
    ['app_id', { state: 3, app_id: 'cli_canary' }],
  ])('with a wrong %s is refused by its path, never by its value: %j', async (at, body) => {
    const reply = await put(body)
    expect(reply).toMatchObject({ status: 400, body: { errors: [{ path: at, message: expect.any(String) }] } })
    expect(JSON.stringify(reply.body)).not.toContain('canary')
    expect(await lying()).toEqual([])
  })

  it('needs an id of digits and a key that may operate', async () => {
    expect((await put({ state: 3 }, '1%2F..%2F2')).status).toBe(404)
    expect((await put({ state: 3 }, '1'.repeat(33))).status).toBe(404)
    const reply = await send('PUT', `${path}/${id}`, { tenant_key: 'tk_a', state: 3 }, secrets.read)
    expect(reply.status).toBe(403)
  })
})

describe('a delete', () => {
  it('leaves out what Feishu never saw, is accepted once, and ends all changes', async () => {
    await put({ state: 3 })
    await put({ state: 4 })
    const reply = await remove()
    expect(reply.status).toBe(202)
    expect((await lying()).map(({ api: of, state }) => [of, state])).toEqual([
      ['tripartite_agreements.update', 'superseded'],
      ['tripartite_agreements.update', 'superseded'],
      ['tripartite_agreements.delete', 'pending'],
    ])
    expect((await remove()).body).toEqual({ ...reply.body, unchanged: true })
    expect(await put({ state: 5 })).toMatchObject({ status: 409, body: { type: '/docs/problems#agreement-deleted' } })
    await settle(delivered)
    expect((await put({ state: 5 })).status).toBe(409)
    expect((await remove()).body).toEqual({ ...reply.body, unchanged: true })
  })

  it('that died deleted nothing: changes are taken again, until it is sent again', async () => {
    const { body } = await remove()
    await settle(dead)
    const revived = await retry(body['delivery_id'])
    expect(revived.status).toBe(202)
    expect((await put({ state: 5 })).status).toBe(409)
    await settle(dead)
    expect((await put({ state: 5 })).status).toBe(202)
  })

  it('needs the tenant', async () => {
    expect(await send('DELETE', `${path}/${id}`)).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'tenant_key' }] },
    })
  })
})

describe('a create', () => {
  it('waits for Feishu, and shows the agreement that it came to', async () => {
    const { status, body } = await create({ create_time: time })
    expect(status).toBe(202)
    expect(body).toEqual({
      application_id: applicationId,
      app_id: 'cli_a',
      tenant_key: 'tk_a',
      state: 1,
      create_time: String(time),
      unchanged: false,
      delivery_id: expect.any(String),
    })
    await settle({ ...delivered, answer: { id } })
    const shown = await api.call('GET', `/v1/deliveries/${String(body['delivery_id'])}`)
    expect(shown.body).toMatchObject({
      agreement_id: id,
      request: { application_id: applicationId, state: 1, create_time: String(time) },
    })
    expect((await put({ state: 2, modify_time: time - 1 })).status).toBe(409)
    expect((await put({ state: 1, modify_time: time })).body).toMatchObject({ unchanged: false })
  })

  it('that finds the agreement of an earlier one shows it as well', async () => {
    const first = await create({ create_time: time })
    await settle({ ...delivered, answer: { id } })
    const second = await create({ create_time: time + 1 })
    await settle({ ...delivered, answer: { id } })
    for (const { body } of [first, second]) {
      const shown = await api.call('GET', `/v1/deliveries/${String(body['delivery_id'])}`)
      expect(shown.body['agreement_id']).toBe(id)
    }
  })

  it('that waits is the same when it comes again, and excludes another', async () => {
    const first = await create({ create_time: time })
    const same = { ...first.body, unchanged: true }
    expect(await create({ create_time: time })).toMatchObject({ status: 202, body: same })
    expect(await create({})).toMatchObject({ status: 202, body: same })
    const problem = { type: '/docs/problems#agreement-being-created' }
    expect(await create({ state: 2 })).toMatchObject({ status: 409, body: problem })
    expect(await create({ create_time: time + 1 })).toMatchObject({ status: 409, body: problem })
    expect(await lying()).toHaveLength(1)
    await settle(dead)
    expect((await create({ state: 2 })).body['unchanged']).toBe(false)
  })

  it.each([
    ['application_id', { application_id: 'a' }],
    ['create_time', { create_time: 1_767_315_600 }],
    ['state', { state: 11 }],
  ])('with a wrong %s is refused', async (at, body) => {
    expect(await create(body)).toMatchObject({ status: 400, body: { errors: [{ path: at }] } })
  })
})

describe('a dead delivery', () => {
  it('is sent again while nothing later waits or was delivered, never with an older time', async () => {
    const first = await put({ state: 3, modify_time: time })
    await settle(dead)
    const second = await put({ state: 4, modify_time: time + 5 })
    const refused = await retry(first.body['delivery_id'])
    expect(refused).toMatchObject({ status: 409, body: { type: '/docs/problems#delivery-not-revivable' } })
    expect(refused.body['detail']).toBe('the tripartite_agreements.update after it is pending')
    await settle(dead)
    expect((await retry(first.body['delivery_id'])).status).toBe(202)
    expect((await lying()).map(({ id: of, state, body }) => [of, state, body])).toEqual([
      [second.body['delivery_id'], 'dead', expect.objectContaining({ state: 4 })],
      [first.body['delivery_id'], 'pending', { tripartite_agreement_id: id, state: 3, modify_time: String(time + 5) }],
    ])
    expect((await put({ state: 3, modify_time: time + 5 })).body).toMatchObject({ unchanged: true })
    await settle(delivered)
    expect((await retry(second.body['delivery_id'])).body['detail']).toContain('is delivered')
  })

  it('of a create is sent again, unless a later one was', async () => {
    const first = await create({})
    await settle(dead)
    expect((await retry(first.body['delivery_id'])).status).toBe(202)
    await settle(dead)
    await create({ state: 2 })
    expect((await retry(first.body['delivery_id'])).status).toBe(409)
  })
})

describe('a look-up', () => {
  const asked: Array<[string, string, Question]> = []
  const answering = (reply: ReadReply) => {
    asked.length = 0
    api.parts.reads.ask = async (appId, tenantKey, question) => {
      asked.push([appId, tenantKey, question])
      return reply
    }
  }
  const answer = (code: number, data?: unknown): ReadReply => ({ kind: 'answer', httpStatus: 200, code, data })
  const look = (query: string) => api.call('GET', `${path}?${query}`, { secret: secrets.read })

  it('asks Feishu now, and answers with its fields', async () => {
    const item = { id, application_id: applicationId, state: 3, create_time: String(time), modify_time: String(time) }
    answering(answer(0, { items: [{ ...item, more: 1 }], page_token: '', has_more: false }))
    const reply = await look(`tenant_key=tk_a&application_id=${applicationId}&id=${id}`)
    expect(reply.status).toBe(200)
    expect(reply.body).toEqual({ items: [item] })
    const query = { application_id: applicationId, tripartite_agreement_id: id }
    expect(asked).toEqual([['cli_a', 'tk_a', { api: 'tripartite_agreements.list', query }]])
  })

  it('finds nothing without a fuss', async () => {
    for (const data of [{ items: [] }, {}, { items: null }]) {
      answering(answer(0, data))
      expect(itemsOf(await look(`tenant_key=tk_a&id=${id}`))).toEqual([])
    }
  })

  it.each<[string, ReadReply, number, string | null, RegExp]>([
    ['no slot', { kind: 'no_slot', retryInMs: 1200 }, 503, '2', /used up/],
    ['no token', { kind: 'no_token', class: 'later', reason: 'r', retryInMs: 9000 }, 503, '9', /no token: r/],
    ['no app', { kind: 'no_token', class: 'tenant', reason: 'r', retryInMs: 9000 }, 502, null, /no token: r/],
    ['no answer', { kind: 'lost', message: 'm' }, 503, '1', /no readable answer/],
    ['no connection', { kind: 'not_sent', message: 'm' }, 503, '1', /reached/],
    ['a limit', { kind: 'answer', httpStatus: 429, code: 99991400, resetMs: 7000 }, 503, '7', /slow down/],
    ['a failure', { kind: 'answer', httpStatus: 500, code: 1002001 }, 503, '1', /system error/],
    ['a refusal', { kind: 'answer', httpStatus: 400, code: 1002002 }, 502, null, /code 1002002: /],
    ['a missing scope', { kind: 'answer', httpStatus: 400, code: 99991672 }, 502, null, /code 99991672: .*scope/],
    ['a refused token', { kind: 'answer', httpStatus: 200, code: 99991663 }, 502, null, /code 99991663: /],
    ['nonsense', { kind: 'answer', httpStatus: 200, code: 0, data: { items: [{}] } }, 502, null, /not documented/],
  ])('that meets %s says so', async (_, reply, status, retryAfter, detail) => {
    answering(reply)
    const said = await look(`tenant_key=tk_a&id=${id}`)
    expect([said.status, said.headers.get('retry-after')]).toEqual([status, retryAfter])
    expect(said.body['detail']).toMatch(detail)
  })

  it('needs the tenant, and one of both ids', async () => {
    answering(answer(0, { items: [] }))
    expect(await look(`id=${id}`)).toMatchObject({ status: 400, body: { errors: [{ path: 'tenant_key' }] } })
    expect(await look('tenant_key=tk_a')).toMatchObject({ status: 400, body: { errors: [{ path: 'id' }] } })
    expect(await look('tenant_key=tk_a&id=x')).toMatchObject({ status: 400, body: { errors: [{ path: 'id' }] } })
    expect(asked).toEqual([])
  })
})
