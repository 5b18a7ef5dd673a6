import { afterEach, beforeEach, expect, test } from 'vitest'
import { appOfTenant } from '../../src/flow/agreements/app-of-tenant.js'
import { type ChangeOutcome, startAgreementsFeed } from '../../src/flow/agreements/feed.js'
import { openOtherBody } from '../../src/flow/outbox/bodies.js'
import type { ChangedAgreements, VendorAgreement, VendorAnswer } from '../../src/flow/vendor/adapter.js'
import type { Started } from '../../src/platform/lifetime.js'
import { eventually } from '../support/eventually.js'
import { type Ground, layGround, one } from '../support/room.js'
import { ok, scriptedVendor } from '../support/scripted-vendor.js'

let ground: Ground
const started: Started[] = []

beforeEach(async () => {
  ground = await layGround()
})

afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.stop()))
  await ground.stop()
})

const time = 1_767_315_600_000
const agreement: VendorAgreement = { id: '301', tenantKey: 'tk_a', state: 3, modifyTime: time }

const bind = (appId: string, tenantKey: string) =>
  ground.database.pool.query(
    `INSERT INTO accounts (account_id, app_id, tenant_key, name, usage_list, state) VALUES ($1, $2, $3, '', '{1}', 'confirmed')`,
    [`${appId}${tenantKey}`, appId, tenantKey],
  )
const install = (appId: string, tenantKey: string) =>
  ground.database.pool.query(
    `INSERT INTO tenants (app_id, tenant_key, state, changed_ts) VALUES ($1, $2, 'active', '1')`,
    [appId, tenantKey],
  )

interface Seen {
  outcomes: ChangeOutcome[]
  cursors: Array<string | null>
  ready: number[]
}

/** A process that follows a feed which answers so, page for page; then it has nothing more. */
function follow(pages: Array<VendorAnswer<ChangedAgreements>>, database = ground.database): Seen {
  const seen: Seen = { outcomes: [], cursors: [], ready: [] }
  const vendor = scriptedVendor()
  vendor.agreements = async (cursor) => {
    seen.cursors.push(cursor)
    return pages.shift() ?? page([], cursor ?? '')
  }
  const { sealer, log } = ground
  started.push(
    startAgreementsFeed({
      database,
      sealer,
      vendor,
      log,
      appIds: ['cli_a', 'cli_b'],
      everyMs: 20,
      isOffered: () => true,
      onReady: (buckets) => seen.ready.push(...buckets),
      onChange: (outcome) => seen.outcomes.push(outcome),
    }),
  )
  return seen
}

const page = (agreements: VendorAgreement[], cursor: string, hasMore = false) =>
  ok({ expired: false, agreements, cursor, hasMore })

async function lying() {
  const found = await ground.database.pool.query<{ lane: string; api: string; body_sealed: Buffer }>(
    'SELECT lane, api, body_sealed FROM deliveries ORDER BY lane, seq',
  )
  return found.rows.map(({ lane, api, body_sealed }) => [
    lane,
    openOtherBody(ground.sealer, lane, api, body_sealed).body,
  ])
}

const cursor = async () =>
  (await one<{ cursor: string | null }>(ground.database, `SELECT cursor FROM vendor_feeds WHERE name = 'agreements'`))
    .cursor

test('each change waits for Feishu, in the app that the tenant has, and the cursor moves behind it', async () => {
  await bind('cli_a', 'tk_a')
  await install('cli_b', 'tk_b')
  const changes = [agreement, { ...agreement, tenantKey: 'tk_b', state: 4 }]
  const seen = follow([page(changes, 'c-1', true), page([{ ...agreement, state: 5, modifyTime: time + 1 }], 'c-2')])
  await eventually(cursor).toBe('c-2')
  expect(await lying()).toEqual([
    ['agreement:cli_a:tk_a:301', { tripartite_agreement_id: '301', state: 3, modify_time: String(time) }],
    ['agreement:cli_a:tk_a:301', { tripartite_agreement_id: '301', state: 5, modify_time: String(time + 1) }],
    ['agreement:cli_b:tk_b:301', { tripartite_agreement_id: '301', state: 4, modify_time: String(time) }],
  ])
  expect(seen.outcomes).toEqual(['put', 'put', 'put'])
  expect(seen.cursors.slice(0, 2)).toEqual([null, 'c-1'])
  expect(seen.ready).toHaveLength(2)
})

test('what is older than the last, or came before, is passed over without a word; a forgotten cursor starts over', async () => {
  await bind('cli_a', 'tk_a')
  const expired = ok({ expired: true, agreements: [], cursor: '', hasMore: false })
  const seen = follow([
    page([agreement], 'c-1'),
    expired,
    page([{ ...agreement, modifyTime: time - 1 }, agreement], 'c-2'),
  ])
  await eventually(cursor).toBe('c-2')
  expect(seen.outcomes).toEqual(['put', 'older', 'unchanged'])
  expect(seen.cursors.slice(0, 3)).toEqual([null, 'c-1', null])
  expect(await lying()).toHaveLength(1)
  expect(ground.lines.filter((line) => line.includes('passed_over'))).toEqual([])
})

test('what cannot be sent is counted each time and told once, and its neighbours go on', async () => {
  await bind('cli_a', 'tk_a')
  await bind('cli_a', 'tk_both')
  await install('cli_b', 'tk_both')
  const odd = [
    { ...agreement, id: '1/../2' },
    { ...agreement, state: 10 },
    { ...agreement, state: 1.5 },
    { ...agreement, modifyTime: Date.now() + 90_000_000 },
    { ...agreement, modifyTime: 1_767_315_600 },
    { ...agreement, tenantKey: 'tk\u0000' },
    { ...agreement, tenantKey: 'tk_nobody' },
    { ...agreement, tenantKey: 'tk_both' },
  ]
  const seen = follow([page([...odd, agreement], 'c-1'), page(odd, 'c-2')])
  await eventually(cursor).toBe('c-2')
  const outcomes = [...Array<string>(6).fill('unreadable'), 'unknown_tenant', 'several_apps']
  expect(seen.outcomes).toEqual([...outcomes, 'put', ...outcomes])
  expect(await lying()).toHaveLength(1)
  const told = ground.lines.flatMap((line) => {
    const parsed = JSON.parse(line) as Record<string, string>
    return parsed['event'] === 'agreements.passed_over' ? [[parsed['tenant_key'], parsed['reason']]] : []
  })
  expect(told).toEqual([
    ['tk_a', 'unreadable'],
    ['tk_a', 'unreadable'],
    ['tk\u0000', 'unreadable'],
    ['tk_nobody', 'unknown_tenant'],
    ['tk_both', 'several_apps'],
  ])
})

test('a page whose changes cannot be kept is read again, and nothing of it twice', async () => {
  await bind('cli_a', 'tk_a')
  await ground.database.pool.query(`ALTER TABLE agreements ADD CONSTRAINT broken CHECK (agreement_id <> '302')`)
  const both = () => page([agreement, { ...agreement, id: '302' }], 'c-1')
  const seen = follow(Array.from({ length: 500 }, both))
  await eventually(() => seen.cursors.length).toBeGreaterThan(1)
  expect(await cursor()).toBeNull()
  await ground.database.pool.query('ALTER TABLE agreements DROP CONSTRAINT broken')
  await eventually(cursor).toBe('c-1')
  expect(await lying()).toHaveLength(2)
  expect(new Set(seen.cursors.slice(0, 2))).toEqual(new Set([null]))
})

test('one process follows at a time, and another takes over when it stops', async () => {
  await bind('cli_a', 'tk_a')
  const first = follow([page([agreement], 'c-1')])
  await eventually(cursor).toBe('c-1')
  const second = follow([], ground.another())
  await eventually(() => first.cursors.length).toBeGreaterThan(5)
  expect(second.cursors).toEqual([])
  await started.shift()?.stop()
  await eventually(() => second.cursors.length).toBeGreaterThan(0)
  expect(second.cursors[0]).toBe('c-1')
})

test('the app of a tenant is the one that it bound or installed, else the one that keeps agreements', async () => {
  const { pool } = ground.database
  const ask = (tenantKey: string) => appOfTenant(pool, ['cli_a', 'cli_b'], tenantKey)
  const keep = (appId: string, tenantKey: string) =>
    pool.query(`INSERT INTO agreements (app_id, tenant_key, agreement_id) VALUES ($1, $2, '1')`, [appId, tenantKey])
  expect(await ask('tk_a')).toEqual({ kind: 'unknown' })
  await bind('cli_gone', 'tk_a')
  expect(await ask('tk_a')).toEqual({ kind: 'unknown' })
  await keep('cli_b', 'tk_a')
  expect(await ask('tk_a')).toEqual({ kind: 'app', appId: 'cli_b' })
  await bind('cli_a', 'tk_a')
  await install('cli_a', 'tk_a')
  expect(await ask('tk_a')).toEqual({ kind: 'app', appId: 'cli_a' })
  await install('cli_b', 'tk_a')
  expect(await ask('tk_a')).toEqual({ kind: 'several' })
  await pool.query(`UPDATE tenants SET state = 'uninstalled' WHERE app_id = 'cli_a'`)
  expect(await ask('tk_a')).toEqual({ kind: 'app', appId: 'cli_b' })
  expect(await ask('tk_b')).toEqual({ kind: 'unknown' })
})

test('an entry that cannot be read is counted and told once, and the cursor goes on', async () => {
  await bind('cli_a', 'tk_a')
  const unreadable = [{ id: '302', complaint: 'state: expected number, got string' }]
  const pageTo = (cursor: string) => ok({ expired: false, agreements: [agreement], unreadable, cursor, hasMore: false })
  const seen = follow([pageTo('c-1'), pageTo('c-2')])
  await eventually(cursor).toBe('c-2')
  expect(seen.outcomes).toEqual(['put', 'unreadable', 'unchanged', 'unreadable'])
  expect(await lying()).toHaveLength(1)
  const told = ground.lines.filter((line) => line.includes('agreements.passed_over'))
  expect(told).toHaveLength(1)
  expect(told[0]).toContain('"complaint":"state: expected number, got string"')
})
