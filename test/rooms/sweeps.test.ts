import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startSweeper } from '../../src/flow/reconcile/sweeper.js'
import { claimSweep, endTurn, enrol, type Progress, sweepNow } from '../../src/flow/reconcile/sweeps.js'
import type { Question, ReadReply } from '../../src/flow/to-feishu/reads.js'
import type { Started } from '../../src/platform/lifetime.js'
import { eventually } from '../support/eventually.js'
import { lanesOn, origin } from '../support/lane-room.js'
import { count, type Ground, layGround, one } from '../support/room.js'

let ground: Ground
let lanes: ReturnType<typeof lanesOn>
const started: Started[] = []

beforeEach(async () => {
  ground = await layGround()
  lanes = lanesOn(ground)
})

afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.stop()))
  await ground.stop()
})

const apps = [origin.appId]
const leaseMs = 60_000

interface Row {
  permission: string
  reason: string | null
  progress: Progress | null
  fence: number
  failures: number
  error: string | null
  finished: boolean
  in_s: number
  counts: Record<string, number> | null
}

const row = () =>
  one<Row>(
    ground.database,
    `SELECT *, finished_at IS NOT NULL AS finished, extract(epoch FROM due_at - now())::float8 AS in_s FROM sweeps`,
  )
const set = (columns: string) => ground.database.pool.query(`UPDATE sweeps SET ${columns}`)

/** A tenant with one order, whose sweep is due. */
async function enrolled(): Promise<string> {
  const id = await lanes.place()
  await sweepNow(ground.database.pool, {})
  return id
}

describe('the rows of sweeps', () => {
  test('are made for every tenant with accounts or orders, once, spread over the interval', async () => {
    const { pool } = ground.database
    await lanes.place()
    await pool.query(
      `INSERT INTO accounts (account_id, app_id, tenant_key, name, usage_list, state)
       SELECT n::text, 'cli_lane', 'tk_' || n, 'a', '{1}', 'confirmed' FROM generate_series(2, 1001) n`,
    )
    await enrol(pool, 3_600_000)
    await enrol(pool, 3_600_000)
    const spread = await one<{ n: number; soon: number; late: number }>(
      ground.database,
      `SELECT count(*)::int AS n, (count(*) FILTER (WHERE due_at < now() + interval '15 min'))::int AS soon,
         (count(*) FILTER (WHERE due_at > now() + interval '45 min'))::int AS late FROM sweeps`,
    )
    expect(spread.n).toBe(1001)
    for (const quarter of [spread.soon, spread.late]) expect(quarter).toBeGreaterThan(150)
  })

  test('are claimed by one process at a time, and by the next when the lease is over', async () => {
    await enrolled()
    const another = ground.another()
    const both = await Promise.all([ground.database, another].map(({ pool }) => claimSweep(pool, apps, leaseMs)))
    expect(both.filter((each) => each !== null)).toHaveLength(1)
    await set(`due_at = now(), lease_until = now()`)
    expect((await claimSweep(another.pool, apps, leaseMs))?.fence).toBe(2)
  })

  test('of a turn whose claim somebody took over stay as they are', async () => {
    await enrolled()
    const old = await claimSweep(ground.database.pool, apps, leaseMs)
    await set(`due_at = now(), lease_until = now()`)
    await claimSweep(ground.database.pool, apps, leaseMs)
    if (old === null) throw new Error('no claim')
    await endTurn(ground.database.pool, old, { inMs: 0, progress: null, permission: { is: 'readable' } })
    expect(await row()).toMatchObject({ permission: 'unknown', fence: 2 })
  })

  test('are due at once when somebody asks while a turn is under way', async () => {
    await enrolled()
    const { pool } = ground.database
    const claimed = await claimSweep(pool, apps, leaseMs)
    if (claimed === null) throw new Error('no claim')
    expect(await sweepNow(pool, { tenantKey: origin.tenantKey })).toBe(1)
    expect(await sweepNow(pool, { tenantKey: 'tk_other' })).toBe(0)
    expect(await claimSweep(pool, apps, leaseMs)).toBeNull()
    await endTurn(pool, claimed, { inMs: 3_600_000, progress: null })
    expect((await row()).in_s).toBeLessThan(1)
  })

  test.each([
    ['tenant', 'cli_lane', 'tk_lane'],
    ['app', 'cli_lane', ''],
  ])('wait while their %s is parked', async (scope, appId, tenantKey) => {
    await enrolled()
    const { pool } = ground.database
    const hold = `INSERT INTO holds (scope, app_id, tenant_key, reason) VALUES ($1, $2, $3, 'parked')`
    await pool.query(hold, [scope, appId, tenantKey])
    expect(await claimSweep(pool, apps, leaseMs)).toBeNull()
    await pool.query('UPDATE holds SET released_at = now()')
    expect(await claimSweep(pool, ['cli_other'], leaseMs)).toBeNull()
    expect(await claimSweep(pool, apps, leaseMs)).not.toBeNull()
  })
})

const terms = {
  everyMs: 3_600_000,
  certainAfterMs: 0,
  quietMs: 0,
  unreadableMs: 86_400_000,
  lookBackMs: 86_400_000,
  restMs: 0,
  retryMs: 300_000,
  scanMs: 10,
  enrolMs: 10,
}

/** A Feishu that answers by the question; what it was asked. */
function sweepWith(answer: (question: Question) => ReadReply | Promise<ReadReply>): Question[] {
  const asked: Question[] = []
  const { database, sealer, log } = ground
  const ask = async (_appId: string, _tenantKey: string, question: Question) => {
    asked.push(question)
    return answer(question)
  }
  const reads = { ask, askWith: () => Promise.reject(new Error('sweeps have no token of their own')) }
  const sweeper = startSweeper({
    database,
    sealer,
    log,
    reads,
    apps,
    terms,
    keepers: [],
    timeoutMs: 1000,
    random: () => 0.5,
    onSettled: () => undefined,
  })
  started.push(sweeper)
  return asked
}

const stopAll = async () => Promise.all(started.splice(0).map((each) => each.stop()))

function page(items: ReadonlyArray<Record<string, unknown>>, nextToken = ''): ReadReply {
  return {
    kind: 'answer',
    httpStatus: 200,
    code: 0,
    data: { items, has_more: nextToken !== '', page_token: nextToken },
  }
}

function item(id: string, more: Record<string, unknown> = {}) {
  const common = { order_status: 2, update_time: '1767315600000', provider_info: { provider_id: 'us' } }
  return { order_id: id, ...common, ...more }
}

const isProbe = ({ api }: Question) => api === 'background_check_orders.batch_query'
const tokensOf = (asked: Question[]) => asked.filter((each) => !isProbe(each)).map(({ query }) => query?.['page_token'])

describe('a sweep', () => {
  test('that a crash cut off goes on with the page that was not settled', async () => {
    const id = await enrolled()
    const first = sweepWith((question) => {
      if (isProbe(question)) return page([item(id)])
      if (question.query?.['page_token'] === 'p2') throw new Error('crashed')
      return page([item(id)], 'p2')
    })
    await eventually(() => tokensOf(first)).toEqual([undefined, 'p2'])
    await stopAll()
    expect((await row()).progress).toMatchObject({ step: 'list', pageToken: 'p2', counts: { pages: 1, orders: 1 } })
    await set('due_at = now(), lease_until = now()')
    const second = sweepWith(() => page([item(id)]))
    await eventually(async () => (await row()).finished).toBe(true)
    expect(tokensOf(second)).toEqual(['p2'])
    expect((await row()).counts).toMatchObject({ pages: 2, orders: 2 })
  })

  test('whose place in the list is gone begins anew, and its right to read is not doubted', async () => {
    const id = await enrolled()
    const asked = sweepWith((question) => {
      if (isProbe(question)) return page([item(id)])
      return question.query?.['page_token'] === undefined
        ? page([item(id)], 'p2')
        : { kind: 'answer', httpStatus: 400, code: 1002002 }
    })
    await eventually(() => tokensOf(asked)).toEqual([undefined, 'p2'])
    await eventually(async () => (await row()).failures).toBe(1)
    expect(await row()).toMatchObject({ permission: 'readable', progress: null })
  })

  test.each([
    ['no place to go on from', ''],
    ['the same page once more', 'p2'],
  ])('that is given %s is not whole', async (_what, token) => {
    const id = await enrolled()
    const more = (nextToken: string) => ({
      ...({ kind: 'answer', httpStatus: 200, code: 0 } as const),
      data: { items: [item(id)], has_more: true, page_token: nextToken },
    })
    sweepWith((question) => {
      if (isProbe(question)) return page([item(id)])
      return more(question.query?.['page_token'] === undefined ? 'p2' : token)
    })
    await eventually(async () => (await row()).failures).toBe(1)
    expect(await row()).toMatchObject({ finished: false, error: 'Feishu has more and names no next page' })
  })

  test.each([
    ['an id', page([item('7\0')])],
    ['a place in the list', page([], 'p\0')],
  ])('that is given %s which cannot be written down says so, and does not stop for its lease', async (_what, odd) => {
    const id = await enrolled()
    sweepWith((question) => (isProbe(question) ? page([item(id)]) : odd))
    await eventually(async () => (await row()).failures).toBe(1)
    const error = 'Feishu answered something that cannot be written down'
    expect(await row()).toMatchObject({ permission: 'readable', progress: null, error })
  })

  test.each<[string, ReadReply, RegExp]>([
    ['a missing scope', { kind: 'answer', httpStatus: 403, code: 99991672, missingScopes: ['hire:x'] }, /hire:x/],
    ['a refused question', { kind: 'answer', httpStatus: 400, code: 1002002 }, /1002002/],
    ['a list without the orders that Feishu gave us', page([item('1')]), /every order that Feishu gave us/],
  ])('that meets %s is over, and tried again after a day', async (_what, reply, reason) => {
    await enrolled()
    const asked = sweepWith(() => reply)
    await eventually(async () => (await row()).permission).toBe('unreadable')
    expect(asked).toHaveLength(1)
    const after = await row()
    expect(after.reason).toMatch(reason)
    expect(after.in_s).toBeGreaterThan(80_000)
    expect(await count(ground.database, 'findings')).toBe(0)
  })

  test.each<[string, ReadReply, string]>([
    ['silence', { kind: 'lost', message: 'no complete answer' }, 'no readable answer came'],
    ['an outage', { kind: 'answer', httpStatus: 500, code: 1002001 }, 'Feishu answered the code 1002001'],
    ['no connection', { kind: 'not_sent', message: 'refused' }, 'Feishu could not be reached'],
    [
      'no token',
      { kind: 'no_token', class: 'later', reason: 'waits for a ticket', retryInMs: 1 },
      'no token: waits for a ticket',
    ],
  ])('that meets %s says nothing about the right to read, and goes on later', async (_what, reply, error) => {
    await enrolled()
    sweepWith(() => reply)
    await eventually(async () => (await row()).failures).toBe(1)
    const after = await row()
    expect(after).toMatchObject({ permission: 'unknown', error })
    expect(after.in_s).toBeGreaterThan(200)
  })

  test('that gets no slot comes back when one is free, and counts no failure', async () => {
    await enrolled()
    sweepWith(() => ({ kind: 'no_slot', retryInMs: 600_000 }))
    await eventually(async () => (await row()).in_s > 590).toBe(true)
    expect(await row()).toMatchObject({ permission: 'unknown', failures: 0, error: null })
  })

  test('asks for what nobody confirmed by its id, since the list of changes need not hold it', async () => {
    const id = await enrolled()
    await lanes.record(id, {
      orderId: `V-${id}`,
      status: 'in_progress',
      stages: [{ id: 'a', name: 'stage a', time: 1767315600000, reports: [] }],
    })
    await lanes.settle(await lanes.claim(), { to: 'delivered', confirmed: false, heldForApproval: false })
    const asked = sweepWith((question) => {
      const shown = item(id, { process_info_list: [{ process: 'stage a', update_time: '1767315600000' }] })
      return isProbe(question) ? page([shown]) : page([])
    })
    await eventually(async () => (await row()).finished).toBe(true)
    expect(asked.filter(isProbe).map(({ body }) => body)).toEqual([
      { background_check_order_id_list: [id] },
      { background_check_order_id_list: [id] },
    ])
    expect(await count(ground.database, 'deliveries WHERE confirmed')).toBe(1)
  })

  test('looks back over all it knows of once it learns whose orders are ours, then twice over each interval', async () => {
    const { pool } = ground.database
    await pool.query(
      `INSERT INTO accounts (account_id, app_id, tenant_key, name, usage_list, state, created_at)
       VALUES ('1', 'cli_lane', 'tk_lane', 'a', '{1}', 'confirmed', now() - interval '10 h')`,
    )
    await sweepNow(pool, {})
    const froms: number[] = []
    let known = ''
    sweepWith((question) => {
      if (!isProbe(question)) froms.push(Number(question.query?.['update_start_time']))
      return page(known === '' ? [] : [item(known)])
    })
    await eventually(async () => (await row()).finished).toBe(true)
    await stopAll()
    const since = await one<{ ms: number }>(
      ground.database,
      `SELECT extract(epoch FROM created_at)::float8 * 1000 AS ms FROM accounts`,
    )
    expect(froms).toEqual([Math.trunc(since.ms)])
    known = await lanes.place()
    for (const round of [2, 3]) {
      await set('due_at = now(), finished_at = NULL')
      sweepWith((question) => {
        if (!isProbe(question)) froms.push(Number(question.query?.['update_start_time']))
        return page([item(known)])
      })
      await eventually(async () => (await row()).finished).toBe(true)
      await stopAll()
      expect(froms).toHaveLength(round)
    }
    const [first, second, third] = froms
    expect(second).toBe(first)
    expect(Date.now() - (third ?? 0)).toBeGreaterThanOrEqual(terms.everyMs)
    expect(Date.now() - (third ?? 0)).toBeLessThan(terms.everyMs + 60_000)
  })
})
