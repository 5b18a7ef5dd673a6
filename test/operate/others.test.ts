import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { registerAccount } from '../../src/flow/accounts/register.js'
import { type Api, itemsOf, readPages, secrets, sorted, startOperators, whileLocked } from './harness.js'
import * as rows from './rows.js'

let api: Api
beforeEach(async () => {
  api = await startOperators()
})
afterEach(() => api.stop())

const sql = (text: string, values: unknown[] = []) => api.parts.database.pool.query(text, values)

describe('events', () => {
  it('are shown without their contents', async () => {
    const id = await rows.addEvent(api)
    const reply = await api.call('GET', '/v1/events', { secret: secrets.read })
    expect(itemsOf(reply)).toEqual([
      {
        id,
        event_id: 'ev-1',
        app_id: 'cli_a',
        tenant_key: 'tk_a',
        type: 'hire.eco_account.created_v1',
        state: 'failed',
        attempts: 10,
        error: 'the effect failed 10 times; the log tells why',
        create_time: '1767315600000',
        received_at: expect.stringMatching(/\.\d{3}Z$/),
      },
    ])
  })

  it('are filtered by state and type, newest first, in pages that hold still', async () => {
    const ids: string[] = []
    for (let index = 0; index < 7; index += 1) {
      ids.push(await rows.addEvent(api, { state: index % 2 === 0 ? 'failed' : 'done', type: `type-${index % 3}` }))
    }
    const pages = await readPages(api, '/v1/events?limit=2', () => rows.addEvent(api))
    expect(pages.map((item) => item['id'])).toEqual(ids.toReversed())
    const some = await api.call('GET', '/v1/events?state=done&type=type-1')
    expect(itemsOf(some).map((item) => item['id'])).toEqual([ids[1]])
  })

  it('that failed are new again after a retry, once', async () => {
    const id = await rows.addEvent(api)
    const replies = await whileLocked(api, 'SELECT 1 FROM events FOR UPDATE', 2, () =>
      Promise.all([1, 2].map(() => api.call('POST', `/v1/events/${id}/retry`))),
    )
    expect(sorted(replies.map((reply) => reply.status))).toEqual(['202', '409'])
    const found = await sql('SELECT state, attempts, error, due_at <= now() AS due, settled_at FROM events')
    expect(found.rows).toEqual([{ state: 'new', attempts: 0, error: null, due: true, settled_at: null }])
    expect(api.hints).toEqual([['inbox', '']])
  })

  it('that did not fail, or whose contents are gone, are not tried again', async () => {
    const done = await rows.addEvent(api, { state: 'done', payload_sealed: null })
    const gone = await rows.addEvent(api, { payload_sealed: null })
    const replies = await Promise.all([done, gone].map((id) => api.call('POST', `/v1/events/${id}/retry`)))
    expect(replies.map(({ status, body }) => [status, body['type']])).toEqual([
      [409, '/docs/problems#event-not-failed'],
      [409, '/docs/problems#erased'],
    ])
    expect(api.hints).toEqual([])
  })
})

describe('accounts', () => {
  const add = (id: string, tenantKey = 'tk_a') => {
    const { database, sealer } = api.parts
    const account = {
      accountId: id,
      tenantKey,
      accountName: `Company ${id}`,
      usageList: [1],
      customFields: { key: 'canary-field' },
    }
    return database.transaction((each) => registerAccount(each, sealer, { appId: 'cli_a', tenantKey }, account))
  }

  it('are shown without what the customer filled in', async () => {
    await add('7001')
    await sql(`UPDATE accounts SET state = 'failed', failure = $1`, [rows.failure])
    const shown = {
      account_id: '7001',
      app_id: 'cli_a',
      tenant_key: 'tk_a',
      account_name: 'Company 7001',
      usage_list: [1],
      state: 'failed',
      customer_id: null,
      failure: rows.failure,
      created_at: expect.stringMatching(/\.\d{3}Z$/),
      updated_at: expect.stringMatching(/\.\d{3}Z$/),
    }
    expect((await api.call('GET', '/v1/accounts/7001', { secret: secrets.read })).body).toEqual(shown)
    expect((await api.call('GET', '/v1/accounts')).body).toEqual({ items: [shown], next_cursor: null })
  })

  it('are listed in pages that hold still, by state and tenant', async () => {
    for (const id of ['1', '2', '3', '4', '5']) await add(id, id === '3' ? 'tk_b' : 'tk_a')
    const pages = await readPages(api, '/v1/accounts?limit=2', (page) => add(String(100 + page)))
    expect(sorted(pages.map((item) => item['account_id']))).toEqual(['1', '2', '3', '4', '5'])
    const some = await api.call('GET', '/v1/accounts?tenant_key=tk_b&state=unconfirmed')
    expect(itemsOf(some).map((item) => item['account_id'])).toEqual(['3'])
  })

  it('are bound again', async () => {
    await add('7001')
    await sql(`UPDATE accounts SET state = 'failed', failure = $1`, [rows.failure])
    await sql('DELETE FROM vendor_tasks')
    const { status, body } = await api.call('POST', '/v1/accounts/7001/bind', { secret: secrets.operate })
    expect([status, body['state'], body['failure']]).toEqual([202, 'unconfirmed', undefined])
    const tasks = await sql('SELECT subject, action, tenant_key, due_at <= now() AS due FROM vendor_tasks')
    expect(tasks.rows).toEqual([{ subject: 'account:7001', action: 'bind', tenant_key: 'tk_a', due: true }])
    expect(api.hints).toEqual([['vendor', '']])
  })
})

describe('holds', () => {
  it('are shown while they are open, newest first; released ones where asked for', async () => {
    const first = await rows.addHold(api, 'app')
    const second = await rows.addHold(api, 'method', 'tk_a', 'cancel')
    const list = async (query: string) => itemsOf(await api.call('GET', `/v1/holds?${query}`))
    const common = {
      app_id: 'cli_a',
      reason: 'the app is not installed',
      code: 99991662,
      created_at: expect.any(String),
    }
    expect(await list('')).toEqual([
      { id: second, scope: 'method', tenant_key: 'tk_a', api: 'cancel', ...common },
      { id: first, scope: 'app', ...common },
    ])
    await api.call('POST', `/v1/holds/${first}/release`)
    expect((await list('')).map((item) => item['id'])).toEqual([second])
    expect(await list('state=released')).toEqual([
      expect.objectContaining({ id: first, released_at: expect.any(String) }),
    ])
  })

  it('are released once, and what waits behind them is woken', async () => {
    for (const [id, tenant] of [
      ['101', 'tk_a'],
      ['102', 'tk_b'],
    ] as const) {
      await rows.addOrder(api, id, tenant)
      await rows.addDeliveries(api, id, [rows.stage(id, 'st-1')])
    }
    await sql(`INSERT INTO buckets (app_id, tenant_key, api) VALUES ('cli_a', 'tk_a', 'cancel')`)
    await sql(`UPDATE buckets SET not_before = now() + interval '1 hour'`)
    const hold = await rows.addHold(api, 'tenant', 'tk_a')
    const replies = await Promise.all(
      [1, 2].map(() => api.call('POST', `/v1/holds/${hold}/release`, { secret: secrets.operate })),
    )
    expect(sorted(replies.map((reply) => reply.status))).toEqual(['202', '409'])
    const buckets = await sql('SELECT id, tenant_key, api, not_before FROM buckets ORDER BY id')
    expect(buckets.rows.map((row) => [row.tenant_key, row.api, row.not_before === null])).toEqual([
      ['tk_a', 'update_progress', true],
      ['tk_b', 'update_progress', false],
      ['tk_a', 'cancel', true],
    ])
    expect(api.hints).toEqual([['pump', String(buckets.rows[0].id)]])
  })
})
