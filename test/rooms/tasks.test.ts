import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createBinding, giveUpBinding } from '../../src/flow/accounts/bind.js'
import { lockAccount, registerAccount } from '../../src/flow/accounts/register.js'
import { createCanceling, giveUpCanceling } from '../../src/flow/orders/cancel-at-vendor.js'
import { giveUpPlacing } from '../../src/flow/orders/fail.js'
import { createPlacing } from '../../src/flow/orders/place.js'
import { placeAgain } from '../../src/flow/orders/place-again.js'
import { createResending, giveUpResending } from '../../src/flow/orders/resend.js'
import { startTaskWorker } from '../../src/flow/orders/tasks.js'
import type { VendorAnswer } from '../../src/flow/vendor/adapter.js'
import type { Loop } from '../../src/platform/loop.js'
import { eventually } from '../support/eventually.js'
import { lanesOn, origin } from '../support/lane-room.js'
import { latch } from '../support/latch.js'
import { count, freshId, type Ground, layGround, one } from '../support/room.js'
import {
  final,
  held,
  lost,
  misconfigured,
  ok,
  refusedNow,
  type ScriptedVendor,
  scriptedVendor,
} from '../support/scripted-vendor.js'

let ground: Ground
let lanes: ReturnType<typeof lanesOn>
let vendor: ScriptedVendor
let workers: Loop[] = []
/** Opened at the latest when a test ends. */
const gates: Array<() => void> = []

beforeAll(async () => {
  ground = await layGround()
  lanes = lanesOn(ground)
})

afterAll(() => ground.stop())

beforeEach(async () => {
  vendor = scriptedVendor()
  await ground.database.pool.query('TRUNCATE vendor_tasks, orders, accounts, poll_schedule, timeline')
})

afterEach(async () => {
  vi.useRealTimers()
  for (const open of gates.splice(0)) open()
  await Promise.all(workers.map((worker) => worker.stop()))
  workers = []
})

function work(adapter: ScriptedVendor = vendor, concurrency = 8, timeoutMs = 0): Loop {
  const common = { database: ground.database, sealer: ground.sealer, vendor: adapter, log: ground.log, random: () => 0 }
  const nothing = () => undefined
  const worker = startTaskWorker({
    database: ground.database,
    log: ground.log,
    concurrency,
    leaseMs: 600_000,
    run: {
      bind: createBinding(common),
      place: createPlacing({ ...common, timeoutMs, onPlaced: nothing, onCancelWanted: nothing }),
      cancel: createCanceling(common),
      resend: createResending({ ...common, onReady: nothing }),
    },
    giveUp: { bind: giveUpBinding, place: giveUpPlacing, cancel: giveUpCanceling, resend: giveUpResending },
  })
  workers.push(worker)
  return worker
}

type TaskRow = {
  action: string
  claimed: boolean
  attempts: number
  fence: number
  ambiguous_at: Date | null
  first_attempt_at: Date | null
}
const taskOf = async (subject: string) =>
  (await ground.database.pool.query<TaskRow>('SELECT * FROM vendor_tasks WHERE subject = $1', [subject])).rows[0]
const orderOf = (id: string) =>
  one<{ state: string; vendor_order_id: string | null; failure: { class: string; message: string } | null }>(
    ground.database,
    'SELECT state, vendor_order_id, failure FROM orders WHERE background_check_id = $1',
    [id],
  )
const kindsOf = async (id: string) =>
  (
    await ground.database.pool.query<{ kind: string }>(
      'SELECT kind FROM timeline WHERE background_check_id = $1 ORDER BY id',
      [id],
    )
  ).rows.map((row) => row.kind)

/** Looks again and again; whatever is put off is due at once. */
function hastened<T>(worker: Loop, probe: () => T | Promise<T>) {
  return expect.poll(
    async () => {
      await ground.database.pool.query('UPDATE vendor_tasks SET due_at = now() WHERE NOT claimed')
      worker.wake()
      return probe()
    },
    { timeout: 20_000, interval: 10 },
  )
}

function gate() {
  const made = latch()
  gates.push(made.open)
  return made
}

describe('an order', () => {
  test('is placed once, under its own id, and polled from then on', async () => {
    const id = await lanes.receive()
    vendor.script('place', ok({ orderId: 'V-9' }))
    const worker = work()
    await hastened(worker, () => orderOf(id)).toMatchObject({ state: 'ordered', vendor_order_id: 'V-9' })
    expect(vendor.calls.map(({ verb, about }) => [verb, about])).toEqual([['place', id]])
    expect(await taskOf(`order:${id}`)).toBeUndefined()
    expect(await count(ground.database, 'poll_schedule WHERE background_check_id = $1', [id])).toBe(1)
    expect(await kindsOf(id)).toEqual(['received', 'placed'])
  })

  test('whose answer was lost is looked up before it is placed again, with the same id', async () => {
    const id = await lanes.receive()
    vendor.script('place', lost, ok({ orderId: 'V-2' }))
    vendor.script('find', ok(null))
    const worker = work()
    await hastened(worker, () => orderOf(id)).toMatchObject({ state: 'ordered' })
    expect(vendor.verbs()).toEqual(['place', 'find', 'place'])
    expect(new Set(vendor.calls.map((call) => call.about))).toEqual(new Set([id]))
    expect(vendor.calls[2]?.detail).toEqual(vendor.calls[0]?.detail)
  })

  test('that the look-up finds is not placed again', async () => {
    const id = await lanes.receive()
    vendor.script('place', lost)
    vendor.script('find', lost, held, ok({ orderId: 'V-3', status: 'pending', stages: [] }))
    const worker = work()
    await hastened(worker, () => orderOf(id)).toMatchObject({ state: 'ordered', vendor_order_id: 'V-3' })
    expect(vendor.verbs()).toEqual(['place', 'find', 'find', 'find'])
  })

  test('that was refused for now is placed again without a look-up', async () => {
    const id = await lanes.receive()
    vendor.script('place', refusedNow, ok({ orderId: 'V-4' }))
    const worker = work()
    await hastened(worker, () => orderOf(id)).toMatchObject({ state: 'ordered' })
    expect(vendor.verbs()).toEqual(['place', 'place'])
  })

  test('that the vendor will never take fails, visibly', async () => {
    const id = await lanes.receive()
    vendor.script('place', final)
    const worker = work()
    await hastened(worker, () => orderOf(id)).toMatchObject({ state: 'failed', failure: { class: 'vendor' } })
    expect(await taskOf(`order:${id}`)).toBeUndefined()
    expect(await kindsOf(id)).toContain('place_refused')
  })

  test('waits while the vendor is not called: that is no attempt, and it does not age', async () => {
    const id = await lanes.receive()
    vendor.script('place', held, misconfigured, held)
    const worker = work()
    await hastened(worker, () => vendor.calls.length).toBeGreaterThan(4)
    expect(await taskOf(`order:${id}`)).toMatchObject({ attempts: 0, ambiguous_at: null })
    // Four days of an outage of our own.
    await ground.database.pool.query(
      `UPDATE vendor_tasks SET first_attempt_at = now() - interval '71 hours' WHERE subject = $1`,
      [`order:${id}`],
    )
    vendor.script('place', { ...held, retryAfterMs: 7_200_000 })
    const before = vendor.calls.length
    await hastened(worker, () => vendor.calls.length).toBe(before + 1)
    await eventually(async () => (await taskOf(`order:${id}`))?.claimed).toBe(false)
    const first = (await taskOf(`order:${id}`))?.first_attempt_at?.getTime() ?? 0
    expect(Date.now() - first).toBeLessThan(70 * 3_600_000)
  })

  test('that nobody takes for three days is given up', async () => {
    const id = await lanes.receive()
    vendor.script('place', refusedNow)
    await ground.database.pool.query(`UPDATE vendor_tasks SET first_attempt_at = now() - interval '73 hours'`)
    await hastened(work(), () => orderOf(id)).toMatchObject({ state: 'failed' })
    expect(await kindsOf(id)).toContain('place_given_up')
  })

  test('of a process that died while it asked is looked up first', async () => {
    const id = await lanes.receive()
    await ground.database.pool.query(`UPDATE vendor_tasks SET claimed = true, fence = 1, due_at = now()`)
    vendor.script('find', ok(null))
    vendor.script('place', ok({ orderId: 'V-5' }))
    await hastened(work(), () => orderOf(id)).toMatchObject({ state: 'ordered' })
    expect(vendor.verbs()).toEqual(['find', 'place'])
  })

  test('keeps the number that the younger claim wrote: an older claim changes nothing', async () => {
    const id = await lanes.receive()
    const slow = gate()
    vendor.script('place', async () => {
      await slow.opened
      return final
    })
    const first = work()
    await hastened(first, () => vendor.calls.length).toBe(1)
    await ground.database.pool.query('UPDATE vendor_tasks SET due_at = now()')
    const other = scriptedVendor()
    // Either worker may take the task again: the one whose older claim is still under way, too.
    for (const each of [vendor, other]) each.script('find', ok({ orderId: 'V-6', status: 'pending', stages: [] }))
    await hastened(work(other), () => orderOf(id)).toMatchObject({ state: 'ordered', vendor_order_id: 'V-6' })
    slow.open()
    await first.stop()
    expect(await orderOf(id)).toMatchObject({ state: 'ordered', vendor_order_id: 'V-6', failure: null })
  })
})

describe('a cancel', () => {
  test('before any attempt means that the order is never placed', async () => {
    const id = await lanes.receive()
    await lanes.cancel(id)
    const other = await lanes.receive()
    vendor.script('place', ok({ orderId: 'V-1' }))
    await hastened(work(), () => orderOf(other)).toMatchObject({ state: 'ordered' })
    expect(vendor.calls.map((call) => call.about)).toEqual([other])
    expect(await orderOf(id)).toMatchObject({ state: 'canceled' })
  })

  test('begins to count its crashes anew: those of the placing are not its own', async () => {
    const id = await lanes.receive()
    await ground.database.pool.query(
      `UPDATE vendor_tasks SET crashes = 9, attempts = 9, ambiguous_at = now() WHERE subject = $1`,
      [`order:${id}`],
    )
    await lanes.cancel(id)
    expect(await taskOf(`order:${id}`)).toMatchObject({ action: 'cancel', crashes: 0 })
  })

  test('of a placed order reaches the vendor once, with its reason', async () => {
    const id = await lanes.place()
    await lanes.cancel(id)
    vendor.script('cancel', ok(null))
    await hastened(work(), () => taskOf(`order:${id}`)).toBeUndefined()
    expect(vendor.calls).toEqual([{ verb: 'cancel', about: `V-${id}`, detail: 'withdrew' }])
    expect(await kindsOf(id)).toContain('vendor_canceled')
  })

  test('while the order is being placed waits for the number and cancels it', async () => {
    const id = await lanes.receive()
    const placing = gate()
    vendor.script('place', async () => {
      await placing.opened
      return ok({ orderId: 'V-7' })
    })
    vendor.script('cancel', ok(null))
    const worker = work()
    await hastened(worker, () => vendor.calls.length).toBe(1)
    await lanes.cancel(id)
    expect(vendor.verbs()).toEqual(['place'])
    placing.open()
    await hastened(worker, () => taskOf(`order:${id}`)).toBeUndefined()
    expect(vendor.calls.slice(1)).toEqual([{ verb: 'cancel', about: 'V-7', detail: 'withdrew' }])
    expect(await orderOf(id)).toMatchObject({ state: 'canceled', vendor_order_id: 'V-7' })
    expect(await count(ground.database, 'poll_schedule')).toBe(0)
  })

  test('while the answer of the placing is lost looks the order up until it cannot arrive any more', async () => {
    const id = await lanes.receive()
    const placing = gate()
    vendor.script('place', async () => {
      await placing.opened
      return lost
    })
    vendor.script('find', ok(null))
    const worker = work()
    await hastened(worker, () => vendor.calls.length).toBe(1)
    await lanes.cancel(id)
    placing.open()
    await hastened(worker, () => vendor.verbs().filter((verb) => verb === 'find').length).toBeGreaterThan(2)
    expect(await taskOf(`order:${id}`)).toMatchObject({ action: 'cancel' })
    vendor.script('find', ok({ orderId: 'V-8', status: 'pending', stages: [] }))
    vendor.script('cancel', ok(null))
    await hastened(worker, () => taskOf(`order:${id}`)).toBeUndefined()
    expect(vendor.calls.at(-1)).toMatchObject({ verb: 'cancel', about: 'V-8' })
    expect(vendor.verbs().filter((verb) => verb === 'place')).toHaveLength(1)
  })

  test('after a minute without a trace of the order is done', async () => {
    const id = await lanes.receive()
    vendor.script('place', lost)
    vendor.script('find', lost)
    const worker = work()
    await hastened(worker, () => vendor.verbs()).toContain('find')
    await lanes.cancel(id)
    vendor.script('find', ok(null))
    await hastened(worker, async () => {
      await ground.database.pool.query(
        `UPDATE vendor_tasks SET ambiguous_at = now() - interval '61 s' WHERE action = 'cancel'`,
      )
      return taskOf(`order:${id}`)
    }).toBeUndefined()
    expect(vendor.verbs()).not.toContain('cancel')
  })

  test('is not forgotten when the process died with the placing and the vendor could not be asked since', async () => {
    const id = await lanes.receive()
    await ground.database.pool.query(`UPDATE vendor_tasks SET claimed = true, fence = 1, due_at = now()`)
    vendor.script('find', held)
    const worker = work()
    await hastened(worker, () => vendor.calls.length).toBeGreaterThan(1)
    await worker.stop()
    await eventually(async () => (await taskOf(`order:${id}`))?.claimed).toBe(false)
    await lanes.cancel(id)
    vendor.script('find', ok({ orderId: 'V-11', status: 'pending', stages: [] }))
    vendor.script('cancel', ok(null))
    await hastened(work(), () => taskOf(`order:${id}`)).toBeUndefined()
    expect(vendor.calls.at(-1)).toMatchObject({ verb: 'cancel', about: 'V-11' })
  })

  test('that the vendor refuses is over, and told', async () => {
    const id = await lanes.place()
    await lanes.cancel(id)
    vendor.script('cancel', refusedNow, lost, held, final)
    await hastened(work(), () => taskOf(`order:${id}`)).toBeUndefined()
    expect(vendor.verbs()).toEqual(['cancel', 'cancel', 'cancel', 'cancel'])
    expect(await kindsOf(id)).toContain('vendor_cancel_refused')
  })

  const isFlagged = async (id: string) =>
    (await count(ground.database, `orders WHERE background_check_id = $1 AND attention @> ARRAY['vendor_not_told']`, [
      id,
    ])) === 1

  test('that the vendor does not take for three days is told to a person', async () => {
    const id = await lanes.place()
    await lanes.cancel(id)
    vendor.script('cancel', refusedNow)
    const worker = work()
    await hastened(worker, () => vendor.calls.length).toBeGreaterThan(1)
    await ground.database.pool.query(`UPDATE vendor_tasks SET first_attempt_at = now() - interval '72 hours 1 minute'`)
    await hastened(worker, () => taskOf(`order:${id}`)).toBeUndefined()
    expect(await isFlagged(id)).toBe(true)
    expect((await kindsOf(id)).at(-1)).toBe('vendor_cancel_given_up')
  })

  test('of an order that the vendor refuses to look up is told to a person', async () => {
    const id = await lanes.receive()
    await ground.database.pool.query(`UPDATE vendor_tasks SET ambiguous_at = now()`)
    await lanes.cancel(id)
    vendor.script('find', { ...final, status: 410 })
    await hastened(work(), () => taskOf(`order:${id}`)).toBeUndefined()
    expect(await isFlagged(id)).toBe(true)
    expect((await kindsOf(id)).at(-1)).toBe('vendor_cancel_refused')
  })

  test.each([
    [409, false],
    [410, false],
    [400, true],
    [413, true],
    [415, true],
    [422, true],
    [undefined, true],
  ])('is over when the vendor answers %s, and told to a person: %s', async (status, told) => {
    const id = await lanes.place()
    await lanes.cancel(id)
    vendor.script('cancel', { kind: 'final', message: 'no', ...(status !== undefined && { status }) })
    await hastened(work(), () => taskOf(`order:${id}`)).toBeUndefined()
    expect(await isFlagged(id)).toBe(told)
    expect((await kindsOf(id)).at(-1)).toBe('vendor_cancel_refused')
  })
})

describe('an account', () => {
  const bind = async (id: string, accountName = 'A') => {
    const account = {
      accountId: id,
      tenantKey: origin.tenantKey,
      accountName,
      usageList: [1],
      customFields: { org: '1' },
    }
    await ground.database.transaction((sql) => registerAccount(sql, ground.sealer, origin, account))
  }
  const accountOf = (id: string) =>
    one<{ state: string; customer_id: string | null; failure: unknown; name: string }>(
      ground.database,
      'SELECT state, customer_id, failure, name FROM accounts WHERE account_id = $1',
      [id],
    )

  test('is asked for until the vendor names the customer', async () => {
    const id = freshId()
    await bind(id)
    vendor.script('bind', refusedNow, held, ok({ customerId: null }), ok({ customerId: 'C-1' }))
    await hastened(work(), () => accountOf(id)).toMatchObject({ state: 'confirmed', customer_id: 'C-1' })
    expect(vendor.calls).toHaveLength(4)
    expect(vendor.calls[0]?.detail).toMatchObject({ accountId: id, customFields: { org: '1' } })
  })

  test('that the vendor refuses is failed, and bound again when Feishu says so', async () => {
    const id = freshId()
    await bind(id)
    vendor.script('bind', final, ok({ customerId: 'C-2' }))
    const worker = work()
    await hastened(worker, () => accountOf(id)).toMatchObject({ state: 'failed', failure: { class: 'vendor' } })
    await bind(id)
    await hastened(worker, () => accountOf(id)).toMatchObject({ state: 'confirmed', failure: null })
  })

  test('that changes while the vendor is asked is asked for again, and the older answer counts no more', async () => {
    const id = freshId()
    await bind(id, 'old')
    const asking = gate()
    vendor.script(
      'bind',
      async () => {
        await asking.opened
        return final
      },
      ok({ customerId: 'C-3' }),
    )
    const worker = work()
    await hastened(worker, () => vendor.calls.length).toBe(1)
    await bind(id, 'new')
    await hastened(worker, () => accountOf(id)).toMatchObject({ state: 'confirmed', customer_id: 'C-3' })
    asking.open()
    await worker.stop()
    expect(await accountOf(id)).toMatchObject({ state: 'confirmed', failure: null })
    expect(vendor.calls[1]?.detail).toMatchObject({ accountName: 'new' })
  })

  test('is settled before or after it is registered anew, with no row held meanwhile', async () => {
    const id = freshId()
    await bind(id)
    const asking = gate()
    vendor.script('bind', async () => {
      await asking.opened
      return ok({ customerId: 'C-4' })
    })
    const worker = work()
    await hastened(worker, () => vendor.calls.length).toBe(1)
    const other = await ground.database.pool.connect()
    await other.query('BEGIN')
    await lockAccount(other, id)
    const { pid } = (await other.query('SELECT pg_backend_pid() AS pid')).rows[0]
    asking.open()
    await expect
      .poll(() => count(ground.database, `pg_stat_activity WHERE ${pid} = ANY(pg_blocking_pids(pid))`), {
        timeout: 20_000,
        interval: 10,
      })
      .toBe(1)
    await other.query('SELECT 1 FROM accounts WHERE account_id = $1 FOR UPDATE NOWAIT', [id])
    await other.query('SELECT 1 FROM vendor_tasks WHERE subject = $1 FOR UPDATE NOWAIT', [`account:${id}`])
    await other.query('COMMIT')
    other.release()
    await hastened(worker, () => accountOf(id)).toMatchObject({ state: 'confirmed' })
  })
})

describe('turns', () => {
  test('go by tenant, and none has more than a quarter of the slots while others wait', async () => {
    const many = Array.from({ length: 12 }, freshId)
    for (const id of many) await lanes.receive(id)
    const other = await lanes.receive()
    await ground.database.pool.query(`UPDATE vendor_tasks SET tenant_key = 'tk_other' WHERE subject = $1`, [
      `order:${other}`,
    ])
    const all = gate()
    vendor.script('place', async ({ about }) => {
      await all.opened
      return ok({ orderId: `V-${about}` })
    })
    const worker = work(vendor, 8)
    await eventually(() => vendor.calls.map((call) => call.about)).toContain(other)
    expect(vendor.calls.filter((call) => call.about !== other).length).toBeLessThanOrEqual(2)
    all.open()
    await hastened(worker, () => count(ground.database, 'vendor_tasks')).toBe(0)
    expect(vendor.calls).toHaveLength(13)
  })

  test.each(['constructor', '__proto__', 'toString'])('know a tenant by the name of %s', async (tenant) => {
    for (let index = 0; index < 3; index += 1) await lanes.receive()
    await ground.database.pool.query('UPDATE vendor_tasks SET tenant_key = $1', [tenant])
    const all = gate()
    vendor.script('place', async ({ about }) => {
      await all.opened
      return ok({ orderId: `V-${about}` })
    })
    const worker = work(vendor, 2)
    await eventually(() => vendor.calls.length).toBe(1)
    const next = await lanes.receive()
    worker.wake()
    await eventually(() => vendor.calls.map((call) => call.about)).toContain(next)
    all.open()
    await hastened(worker, () => count(ground.database, 'vendor_tasks')).toBe(0)
  })
})

describe('a task whose code throws', () => {
  const bug = () => Promise.reject(new TypeError('a bug of ours'))
  /** A place where something throws, a number of times. */
  const throwing = (verb: string, times: number, ...then: VendorAnswer<unknown>[]) =>
    vendor.script(verb, ...Array.from({ length: times }, () => bug), ...then)
  const crashesOf = async (subject: string) =>
    (
      await ground.database.pool.query<{ crashes: number; last_error: string | null; put_off: boolean }>(
        `SELECT crashes, last_error, due_at > ambiguous_at AS put_off FROM vendor_tasks WHERE subject = $1`,
        [subject],
      )
    ).rows[0]

  test('is put off, counted, and looked up before it is placed again', async () => {
    const id = await lanes.receive()
    const first = work()
    let stopped: Promise<void> | undefined
    const bugAndStop = () => {
      stopped = first.stop()
      return bug()
    }
    vendor.script('place', bugAndStop, bug, ok({ orderId: 'V-1' }))
    vendor.script('find', ok(null))
    await eventually(() => stopped !== undefined).toBe(true)
    await stopped
    expect(await crashesOf(`order:${id}`)).toEqual({ crashes: 1, last_error: expect.any(String), put_off: true })
    expect(await taskOf(`order:${id}`)).toMatchObject({ claimed: false, ambiguous_at: expect.any(Date) })
    await hastened(work(), () => orderOf(id)).toMatchObject({ state: 'ordered' })
    expect(vendor.verbs()).toEqual(['place', 'find', 'place', 'find', 'place'])
  })

  test('ten times is given up: the order has failed by our own fault, and can be placed again', async () => {
    const id = await lanes.receive()
    throwing('place', 10, ok({ orderId: 'V-1' }))
    vendor.script('find', ok(null))
    const worker = work()
    await hastened(worker, () => orderOf(id)).toMatchObject({ state: 'failed', failure: { class: 'ours' } })
    expect(await taskOf(`order:${id}`)).toBeUndefined()
    expect(await kindsOf(id)).toEqual(['received', 'place_given_up'])
    expect(vendor.verbs().filter((verb) => verb === 'place')).toHaveLength(10)
    await ground.database.transaction((sql) => placeAgain(sql, id))
    await hastened(worker, () => orderOf(id)).toMatchObject({ state: 'ordered', failure: null })
  })

  test('is not given up for what a database does that is away', async () => {
    const id = await lanes.receive()
    const away = () => Promise.reject(Object.assign(new pg.DatabaseError('away', 0, 'error'), { code: '57P01' }))
    vendor.script('place', ...Array.from({ length: 12 }, () => away), ok({ orderId: 'V-1' }))
    vendor.script('find', ok(null))
    await hastened(work(), () => orderOf(id)).toMatchObject({ state: 'ordered' })
  })

  test('ten times leaves an account failed, and a cancel told to a person', async () => {
    const bindable = {
      accountId: freshId(),
      tenantKey: origin.tenantKey,
      accountName: 'A',
      usageList: [1],
      customFields: {},
    }
    await ground.database.transaction((sql) => registerAccount(sql, ground.sealer, origin, bindable))
    throwing('bind', 10)
    const canceled = await lanes.receive()
    await ground.database.pool.query(`UPDATE orders SET vendor_order_id = 'V-7' WHERE background_check_id = $1`, [
      canceled,
    ])
    await ground.database.pool.query(`UPDATE vendor_tasks SET action = 'cancel' WHERE subject = $1`, [
      `order:${canceled}`,
    ])
    throwing('cancel', 10)
    const worker = work()
    await hastened(worker, () => count(ground.database, 'vendor_tasks')).toBe(0)
    const account = await one<{ state: string; failure: { class: string } }>(
      ground.database,
      'SELECT state, failure FROM accounts WHERE account_id = $1',
      [bindable.accountId],
    )
    expect(account).toMatchObject({ state: 'failed', failure: { class: 'ours' } })
    expect(await kindsOf(canceled)).toContain('vendor_cancel_given_up')
    const flagged = `orders WHERE background_check_id = $1 AND attention @> ARRAY['vendor_not_told']`
    expect(await count(ground.database, flagged, [canceled])).toBe(1)
  })
})

describe.each([
  ['10 min behind', -600_000],
  ['4 days ahead', 4 * 86_400_000],
])('by a process whose clock is %s', (_off, offMs) => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + offMs })
  })
  const agedTo = (column: string, age: string) =>
    ground.database.pool.query(`UPDATE vendor_tasks SET ${column} = now() - $1::interval`, [age])
  const finds = () => vendor.verbs().filter((verb) => verb === 'find').length

  test('a cancel waits for the minute in which a lost placing may arrive, and no longer', async () => {
    const id = await lanes.receive()
    await ground.database.pool.query(`UPDATE vendor_tasks SET action = 'cancel', ambiguous_at = now()`)
    vendor.script('find', ok(null))
    const worker = work()
    await hastened(worker, finds).toBeGreaterThan(1)
    expect(await taskOf(`order:${id}`)).toMatchObject({ action: 'cancel' })
    await agedTo('ambiguous_at', '61 s')
    await hastened(worker, () => taskOf(`order:${id}`)).toBeUndefined()
  })

  test('a lost placing is repeated when it would have arrived, and no earlier or later', async () => {
    const id = await lanes.receive()
    await ground.database.pool.query(`UPDATE vendor_tasks SET ambiguous_at = now()`)
    vendor.script('find', ok(null))
    vendor.script('place', ok({ orderId: 'V-1' }))
    const worker = work(vendor, 8, 60_000)
    await hastened(worker, finds).toBeGreaterThan(1)
    expect(vendor.verbs()).not.toContain('place')
    await agedTo('ambiguous_at', '61 s')
    await hastened(worker, () => orderOf(id)).toMatchObject({ state: 'ordered' })
  })

  test('an order that nobody takes is given up after three days, and no earlier or later', async () => {
    const id = await lanes.receive()
    vendor.script('place', refusedNow)
    const worker = work()
    await agedTo('first_attempt_at', '71 hours 59 minutes')
    await hastened(worker, () => vendor.calls.length).toBeGreaterThan(1)
    expect(await orderOf(id)).toMatchObject({ state: 'received' })
    await agedTo('first_attempt_at', '72 hours 1 minute')
    await hastened(worker, () => orderOf(id)).toMatchObject({ state: 'failed' })
  })
})

describe('an order whose answer was lost', () => {
  test('is placed again only when a call that is still on its way would have arrived', async () => {
    const id = await lanes.receive()
    vendor.script('place', lost, ok({ orderId: 'V-1' }))
    vendor.script('find', ok(null))
    const worker = work(vendor, 8, 600_000)
    await hastened(worker, () => vendor.verbs().filter((verb) => verb === 'find').length).toBeGreaterThan(2)
    expect(vendor.verbs().filter((verb) => verb === 'place')).toHaveLength(1)
    await ground.database.pool.query(`UPDATE vendor_tasks SET ambiguous_at = now() - interval '11 minutes'`)
    await hastened(worker, () => orderOf(id)).toMatchObject({ state: 'ordered' })
    expect(vendor.verbs().filter((verb) => verb === 'place')).toHaveLength(2)
  })

  test('that the vendor has twice keeps one of them, and a person is told of the other', async () => {
    const id = await lanes.receive()
    vendor.script('place', lost)
    vendor.script('find', ok({ orderId: 'V-1', status: 'pending', stages: [], others: ['V-2'] }))
    await hastened(work(), () => orderOf(id)).toMatchObject({ state: 'ordered', vendor_order_id: 'V-1' })
    expect(await kindsOf(id)).toEqual(['received', 'placed', 'several_vendor_orders'])
    const flagged = `orders WHERE background_check_id = $1 AND attention @> ARRAY['several_vendor_orders']`
    expect(await count(ground.database, flagged, [id])).toBe(1)
  })
})
