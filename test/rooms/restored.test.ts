import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { changeTenant } from '../../src/flow/accounts/tenants.js'
import type { OtherBody } from '../../src/flow/map.js'
import { leaseDueBuckets } from '../../src/flow/outbox/buckets.js'
import { lockLane } from '../../src/flow/outbox/lanes.js'
import { putBehind } from '../../src/flow/outbox/put-other.js'
import { markRestored } from '../../src/flow/reconcile/mark-restored.js'
import { releaseRestored } from '../../src/flow/reconcile/restored.js'
import { claimSweep } from '../../src/flow/reconcile/sweeps.js'
import { hold, release } from '../../src/flow/to-feishu/holds.js'
import { isKnownByName } from '../../src/flow/to-feishu/stage-by-name.js'
import { delivered, lanesOn, origin } from '../support/lane-room.js'
import { count, type Ground, layGround, one } from '../support/room.js'
import { at, saying, stage } from '../support/vendor-words.js'

/** Stages by their ids, and by their names where these differ. */
const said = (stages: Array<[string, { name: string }?]>) =>
  saying(
    'in_progress',
    stages.map(([id, more], index) => stage(id, { time: at(index + 1), ...more })),
  )

let ground: Ground
let lanes: ReturnType<typeof lanesOn>

beforeEach(async () => {
  ground = await layGround()
  lanes = lanesOn(ground)
})

afterEach(() => ground.stop())

const backupAt = new Date('2026-01-02T03:04:05.000Z')
const owner = '00000000-0000-4000-8000-000000000001'
const mark = () => ground.database.transaction((sql) => markRestored(sql, { backupAt, actor: 'test', by: 'restore' }))
const rows = async (sql: string) => (await ground.database.pool.query(sql)).rows
const lease = () => leaseDueBuckets(ground.database.pool, owner, 60_000, 10, null)

describe('a database that was restored', () => {
  test('shows nothing as claimed, and what waits as perhaps sent', async () => {
    const { pool } = ground.database
    const id = await lanes.place()
    await lanes.record(id, said([['st-1'], ['st-2']]))
    await lanes.claim()
    await lease()
    const received = await lanes.receive()
    await pool.query(
      `UPDATE vendor_tasks SET claimed = true, due_at = now() + interval '1 h', first_attempt_at = now() - interval '5 d'`,
    )
    await pool.query(
      `INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms, claimed, due_at)
       VALUES ('x', 't', 1, true, now() + interval '1 h')`,
    )
    await pool.query(`INSERT INTO vendor_feeds (name, lease_until) VALUES ('changes', now() + interval '1 h')`)
    await pool.query(
      `INSERT INTO events (app_id, event_id, type, tenant_key, create_time, due_at) VALUES ('a', 'e', 't', 'tk', '1', now() + interval '1 h')`,
    )
    await mark()
    expect(await lanes.rows(id)).toMatchObject([
      { state: 'pending', ambiguous: true, attempts: 1, stage_id: 'st-1', last_error: { looks: 2 } },
      { state: 'pending', ambiguous: true, attempts: 0, stage_id: 'st-2', due_at: null },
    ])
    expect(await rows('SELECT lane, unsure FROM lanes ORDER BY lane')).toEqual(
      [id, received].sort().map((each) => ({ lane: `order:${each}`, unsure: true })),
    )
    expect(await rows('SELECT lease_owner, lease_until FROM buckets')).toEqual([
      { lease_owner: null, lease_until: null },
    ])
    expect(
      await rows(
        'SELECT claimed, due_at <= now() AS due, first_attempt_at, ambiguous_at IS NOT NULL AS doubted FROM vendor_tasks',
      ),
    ).toEqual([{ claimed: false, due: true, first_attempt_at: null, doubted: true }])
    expect(await rows('SELECT claimed, due_at <= now() AS due FROM poll_schedule')).toEqual([
      { claimed: false, due: true },
    ])
    expect(await rows('SELECT lease_until FROM vendor_feeds')).toEqual([{ lease_until: null }])
    expect(await rows('SELECT due_at <= now() AS due FROM events')).toEqual([{ due: true }])
  })

  test('has an order that comes later looked for at the vendor before it is placed, for as long as events come again', async () => {
    const doubt = async (id: string) =>
      rows(
        `SELECT ambiguous_at = (SELECT max(restored_at) FROM restores) AS since_restore FROM vendor_tasks WHERE subject = 'order:${id}'`,
      )
    expect(await doubt(await lanes.receive())).toEqual([{ since_restore: null }])
    await mark()
    expect(await doubt(await lanes.receive())).toEqual([{ since_restore: true }])
    await rows(`UPDATE restores SET restored_at = now() - interval '9 hours 1 minute'`)
    expect(await doubt(await lanes.receive())).toEqual([{ since_restore: null }])
  })

  test('drops what an operator wanted to be sent again, and says so', async () => {
    const id = await lanes.place()
    await ground.database.pool.query(
      `INSERT INTO vendor_tasks (subject, action, tenant_key) VALUES ('resend:' || $1 || '/st-1', 'resend', 't')`,
      [id],
    )
    await mark()
    expect(await count(ground.database, 'vendor_tasks')).toBe(0)
    expect(await rows(`SELECT background_check_id FROM timeline WHERE kind = 'resend_dropped'`)).toEqual([
      { background_check_id: id },
    ])
  })

  test('holds each tenant, keeps its sweep going, and says when and by whom it was restored', async () => {
    const id = await lanes.place()
    await lanes.record(id, said([['st-1']]))
    expect(await mark()).toBe(1)
    expect(await rows('SELECT scope, app_id, tenant_key, released_at FROM holds')).toEqual([
      { scope: 'restore', app_id: origin.appId, tenant_key: origin.tenantKey, released_at: null },
    ])
    expect(await lease()).toEqual([])
    expect(await claimSweep(ground.database.pool, [origin.appId], 1000)).toMatchObject({
      ...origin,
      restored: true,
      sweptUntil: null,
    })
    expect(await rows('SELECT backup_at, released_at FROM restores')).toEqual([
      { backup_at: backupAt, released_at: null },
    ])
    expect(await rows('SELECT actor, via, action, after FROM audit')).toMatchObject([
      { actor: 'test', via: 'cli', action: 'database.restore', after: { by: 'restore', tenants_held: 1 } },
    ])
    expect(await rows(`SELECT detail FROM timeline WHERE kind = 'restored'`)).toEqual([
      { detail: { backup_at: backupAt.toISOString() } },
    ])
  })

  test('without any tenant holds nothing', async () => {
    expect(await mark()).toBe(0)
    expect(await rows('SELECT released_at IS NOT NULL AS released FROM restores')).toEqual([{ released: true }])
  })

  test('is let go on by the last of its holds, by whom it may be, also at once', async () => {
    const { pool } = ground.database
    await pool.query(
      `INSERT INTO accounts (account_id, app_id, tenant_key, name, usage_list, state)
       SELECT n::text, 'cli_lane', 'tk_' || n, 'a', '{1}', 'confirmed' FROM generate_series(1, 4) n`,
    )
    expect(await mark()).toBe(4)
    const [first, ...others] = (await rows('SELECT id FROM holds ORDER BY id')) as Array<{ id: string }>
    await ground.database.transaction((sql) => release(sql, BigInt(first?.id ?? 0)))
    expect(await rows('SELECT released_at FROM restores')).toEqual([{ released_at: null }])
    await Promise.all(others.map(({ id }) => ground.database.transaction((sql) => release(sql, BigInt(id)))))
    expect(await count(ground.database, 'restores WHERE released_at IS NOT NULL')).toBe(1)
  })

  test('is not let go on by a sweep that another process took over', async () => {
    const { pool } = ground.database
    await lanes.place()
    await mark()
    const mine = await claimSweep(pool, [origin.appId], 1000)
    if (mine === null) throw new Error('no sweep')
    await pool.query('UPDATE sweeps SET fence = fence + 1')
    expect(await ground.database.transaction((sql) => releaseRestored(sql, mine))).toBeNull()
    expect(
      await ground.database.transaction((sql) => releaseRestored(sql, { ...mine, fence: mine.fence + 1 })),
    ).toEqual([])
    expect(await count(ground.database, 'holds WHERE released_at IS NULL')).toBe(0)
    expect(await rows(`SELECT actor, via FROM audit WHERE action = 'holds.release'`)).toEqual([
      { actor: 'bgc-bridge', via: 'service' },
    ])
  })

  test('stays held when a tenant stops the app and comes back, and beside a hold of a method', async () => {
    const { pool } = ground.database
    await lanes.place()
    await mark()
    await hold(pool, { ...origin, api: 'cancel' }, { scope: 'method', code: 1, reason: 'x' })
    await changeTenant(pool, { ...origin, state: 'uninstalled', ts: '1' })
    expect(await claimSweep(pool, [origin.appId], 1000)).toBeNull()
    await changeTenant(pool, { ...origin, state: 'active', ts: '2' })
    expect(await rows('SELECT scope FROM holds WHERE released_at IS NULL ORDER BY scope')).toEqual([
      { scope: 'method' },
      { scope: 'restore' },
    ])
  })
})

describe('an unsure lane', () => {
  test('takes all that is put into it as perhaps sent, until Feishu took something of it', async () => {
    const id = await lanes.place()
    await lanes.record(id, said([]))
    await mark()
    await ground.database.pool.query('UPDATE holds SET released_at = now()')
    await lanes.record(id, said([['st-1']]))
    expect(await lanes.rows(id)).toMatchObject([{ ambiguous: true, last_error: { looks: 2 } }])
    await lanes.settle(await lanes.claim(), delivered, null)
    expect(await rows('SELECT unsure FROM lanes')).toEqual([{ unsure: true }])
    await lanes.record(id, said([['st-1'], ['st-2']]))
    await lanes.settle(await lanes.claim(), delivered)
    expect(await rows('SELECT unsure FROM lanes')).toEqual([{ unsure: false }])
    await lanes.record(id, said([['st-1'], ['st-2'], ['st-3']]))
    expect((await lanes.rows(id)).at(-1)).toMatchObject({ stage_id: 'st-3', ambiguous: false, last_error: null })
  })

  test('is what an order begins that comes soon after a restore, and not one that comes later', async () => {
    await mark()
    const unsure = (lane: string) => ground.database.transaction(async (sql) => (await lockLane(sql, lane)).unsure)
    expect(await unsure('order:1')).toBe(true)
    await ground.database.pool.query(`UPDATE restores SET restored_at = now() - interval '10 hours'`)
    expect([await unsure('order:2'), await unsure('order:1')]).toEqual([false, true])
  })

  test('of an account begins a create with the question whether it is there', async () => {
    const lane = { lane: 'account:1', appId: 'a', tenantKey: 't', accountId: '1' }
    await mark()
    const content: OtherBody = { api: 'packages.create', body: { account_id: '1', package_list: [] } }
    await ground.database.transaction((sql) => putBehind(sql, ground.sealer, lane, [{ content }]))
    expect(
      await one(
        ground.database,
        'SELECT d.api, d.ambiguous, b.api AS bucket FROM deliveries d JOIN buckets b ON b.id = d.bucket_id',
      ),
    ).toEqual({ api: 'packages.create', ambiguous: true, bucket: 'packages.batch_update' })
  })

  test('knows a stage by its name where no other stage has that name, and only then', async () => {
    const { pool } = ground.database
    const id = await lanes.place()
    await mark()
    await pool.query('UPDATE holds SET released_at = now()')
    await lanes.record(
      id,
      said([
        ['st-1', { name: 'A' }],
        ['st-2', { name: 'B' }],
      ]),
    )
    const known = async () => {
      const [claim] = await lanes.claim()
      if (claim === undefined) throw new Error('no claim')
      const name = claim.stageId === 'st-1' ? 'A' : 'B'
      const body = { background_check_id: id, stage_id: claim.stageId ?? '', stage_name: name, stage_time: '1' }
      const byName = await isKnownByName(pool, ground.sealer, claim, { api: 'update_progress', body })
      const twice = await isKnownByName(pool, ground.sealer, claim, {
        api: 'update_progress',
        body: { ...body, stage_name: name === 'A' ? 'B' : 'A' },
      })
      return { claim, byName, twice }
    }
    const first = await known()
    expect([first.byName, first.twice]).toEqual([true, false])
    await lanes.settle([first.claim], delivered)
    expect((await known()).byName).toBe(false)
  })
})
