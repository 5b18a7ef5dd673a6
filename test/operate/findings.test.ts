import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type FindingToNote, flagDifference, noteFindings, noteRepaired } from '../../src/flow/findings.js'
import { type Api, itemsOf, readPages, secrets, startOperators } from './harness.js'
import { addOrder, setOrder } from './rows.js'

let api: Api

beforeAll(async () => {
  api = await startOperators()
})
afterAll(() => api.stop())
beforeEach(() => api.parts.database.pool.query('TRUNCATE findings, sweeps, orders, timeline, vendor_tasks, accounts'))

function found(id: string, more: Partial<FindingToNote> = {}): FindingToNote {
  return {
    kind: 'stage_not_in_feishu',
    appId: 'cli_a',
    tenantKey: 'tk_a',
    backgroundCheckId: id,
    subject: '17',
    detail: { delivery_id: '17', stage_id: 'st-1', was: 'inferred' },
    ...more,
  }
}

const note = (...all: FindingToNote[]) => noteFindings(api.parts.database.pool, all)

describe('GET /v1/findings', () => {
  it('shows a finding with its ids, codes and times', async () => {
    await note(found('1001'))
    expect(itemsOf(await api.call('GET', '/v1/findings'))).toEqual([
      {
        id: expect.stringMatching(/^\d+$/),
        kind: 'stage_not_in_feishu',
        app_id: 'cli_a',
        tenant_key: 'tk_a',
        background_check_id: '1001',
        detail: { delivery_id: '17', stage_id: 'st-1', was: 'inferred' },
        state: 'open',
        found_at: expect.stringMatching(/^20.*Z$/),
        seen_at: expect.stringMatching(/^20.*Z$/),
      },
    ])
  })

  it('shows what only the vendor has without an app and a tenant', async () => {
    const kind = 'vendor_order_unknown_here'
    await note(found('1001', { kind, appId: '', tenantKey: '', subject: '', vendorOrderId: 'V-1', detail: {} }))
    const [shown] = itemsOf(await api.call('GET', '/v1/findings'))
    expect(shown).toMatchObject({ kind, vendor_order_id: 'V-1', background_check_id: '1001' })
    expect(Object.keys(shown ?? {})).not.toContain('tenant_key')
  })

  it.each([
    ['state=repaired', ['1003']],
    ['kind=created_event_lost', ['1002']],
    ['tenant_key=tk_b', ['1002']],
    ['background_check_id=1001', ['1001']],
    ['state=open&tenant_key=tk_a', ['1001']],
    ['state=', ['1003', '1002', '1001']],
  ])('filters by %s', async (query, ids) => {
    await note(found('1001'))
    await note(found('1002', { kind: 'created_event_lost', tenantKey: 'tk_b' }))
    await noteRepaired(api.parts.database.pool, found('1003'))
    const shown = itemsOf(await api.call('GET', `/v1/findings?${query}`))
    expect(shown.map((each) => each['background_check_id'])).toEqual(ids)
  })

  it('pages from the newest on, each once, while others are found', async () => {
    await note(...Array.from({ length: 7 }, (_, index) => found(String(1001 + index))))
    const paged = await readPages(api, '/v1/findings?limit=3', (page) => note(found(String(2000 + page))))
    const ids = paged.map((each) => Number(each['id']))
    expect(ids).toEqual(ids.toSorted((one, other) => other - one))
    expect(new Set(ids).size).toBe(7)
  })

  it.each(['state=closed', 'kind=other', 'background_check_id=abc', 'cursor=x', 'q=1'])('refuses %s', async (query) => {
    expect((await api.call('GET', `/v1/findings?${query}`)).status).toBe(400)
  })
})

describe('POST /v1/findings/{id}/dismiss', () => {
  async function flagged(): Promise<string> {
    await addOrder(api, '1001')
    await setOrder(api, '1001', { attention: ['delivery_dead'] })
    await note(found('1001'), found('1001', { subject: '18' }))
    await flagDifference(api.parts.database.pool, '1001')
    return String(itemsOf(await api.call('GET', '/v1/findings')).at(-1)?.['id'])
  }
  const attention = async () => (await api.call('GET', '/v1/orders/1001')).body['attention']

  it('takes the flag from the order with the last open finding, and leaves the other flags', async () => {
    const first = await flagged()
    expect(await attention()).toEqual(['delivery_dead', 'differs_in_feishu'])
    const dismissed = await api.call('POST', `/v1/findings/${first}/dismiss`)
    expect(dismissed).toMatchObject({ status: 200, body: { id: first, state: 'dismissed' } })
    expect(await attention()).toEqual(['delivery_dead', 'differs_in_feishu'])
    const last = itemsOf(await api.call('GET', '/v1/findings?state=open'))[0]?.['id']
    await api.call('POST', `/v1/findings/${String(last)}/dismiss`)
    expect(await attention()).toEqual(['delivery_dead'])
  })

  it('answers 409 for a finding that is not open, and 404 for one that is not there', async () => {
    const id = await flagged()
    await api.call('POST', `/v1/findings/${id}/dismiss`)
    const again = await api.call('POST', `/v1/findings/${id}/dismiss`)
    expect(again).toMatchObject({ status: 409, body: { type: '/docs/problems#finding-not-open' } })
    expect((await api.call('POST', '/v1/findings/999999/dismiss')).status).toBe(404)
    expect((await api.call('POST', '/v1/findings/x/dismiss')).status).toBe(404)
  })

  it('needs the scope operate', async () => {
    const id = await flagged()
    const asReader = await api.call('POST', `/v1/findings/${id}/dismiss`, { secret: secrets.read })
    expect(asReader.status).toBe(403)
  })
})

describe('sweeps', () => {
  const json = { 'content-type': 'application/json' }

  it('are listed with what was found out about the right to read', async () => {
    await api.parts.database.pool.query(
      `INSERT INTO sweeps (app_id, tenant_key, permission, reason, asked_at, counts, finished_at, swept_until, fence, providers)
       VALUES ('cli_a', 'tk_a', 'unreadable', 'the app lacks a scope: hire:x', now(), NULL, NULL, NULL, 3, '{us}'),
              ('cli_a', 'tk_b', 'readable', NULL, now(), '{"orders": 5}', now(), now(), 1, '{us}')`,
    )
    expect(itemsOf(await api.call('GET', '/v1/sweeps'))).toEqual([
      {
        app_id: 'cli_a',
        tenant_key: 'tk_b',
        permission: 'readable',
        asked_at: expect.any(String),
        running: false,
        due_at: expect.any(String),
        swept_until: expect.any(String),
        finished_at: expect.any(String),
        counts: { orders: 5 },
      },
      {
        app_id: 'cli_a',
        tenant_key: 'tk_a',
        permission: 'unreadable',
        reason: 'the app lacks a scope: hire:x',
        asked_at: expect.any(String),
        running: false,
        due_at: expect.any(String),
      },
    ])
    const unreadable = itemsOf(await api.call('GET', '/v1/sweeps?permission=unreadable'))
    expect(unreadable.map((each) => each['tenant_key'])).toEqual(['tk_a'])
    expect(itemsOf(await api.call('GET', '/v1/sweeps?limit=1'))).toHaveLength(1)
  })

  it('run when an operator says so: one tenant, or all, also those that were not known of yet', async () => {
    await addOrder(api, '1001', 'tk_a')
    await addOrder(api, '1002', 'tk_b')
    const body = JSON.stringify({ tenant_key: 'tk_b' })
    expect(await api.call('POST', '/v1/sweeps/run', { body, headers: json })).toMatchObject({
      status: 202,
      body: { due: 1 },
    })
    await api.parts.database.pool.query(`UPDATE sweeps SET due_at = now() + interval '1 day'`)
    expect((await api.call('POST', '/v1/sweeps/run')).body).toEqual({ due: 2 })
    const due = await api.parts.database.pool.query('SELECT 1 FROM sweeps WHERE due_at <= now()')
    expect(due.rowCount).toBe(2)
  })

  it('refuse a body that they do not know, and a key that may only read', async () => {
    const unknown = await api.call('POST', '/v1/sweeps/run', { body: '{"tenant":"tk_a"}', headers: json })
    expect(unknown.status).toBe(400)
    expect((await api.call('POST', '/v1/sweeps/run', { secret: secrets.read })).status).toBe(403)
  })
})
