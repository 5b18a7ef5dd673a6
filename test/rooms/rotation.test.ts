import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { createCanceling } from '../../src/flow/orders/cancel-at-vendor.js'
import { claimHeads } from '../../src/flow/outbox/claim.js'
import { admitKeys } from '../../src/flow/rotation/admit.js'
import { countSealed } from '../../src/flow/rotation/count.js'
import { type Rotation, rotateKeys } from '../../src/flow/rotation/rotate.js'
import { keysStatus } from '../../src/flow/rotation/status.js'
import { openOrderContent } from '../../src/flow/to-feishu/claimed-content.js'
import { createTokenStore } from '../../src/flow/to-feishu/tokens-store.js'
import { dataKeyContext } from '../../src/platform/crypto/data-key.js'
import { marksOf } from '../../src/platform/crypto/key-marks.js'
import { createSealer } from '../../src/platform/crypto/sealer.js'
import { type Database, openDatabase } from '../../src/platform/database/database.js'
import { count, type Ground, layGround, one } from '../support/room.js'
import { cancelAround, openAround, sealAround, whatWasSealed } from '../support/sealed.js'

const [k1, k2] = ['k1', 'k2'].map((id) => ({ id, key: randomBytes(32) })) as [Key, Key]
type Key = { id: string; key: Buffer }
const withKeys = (...keys: Key[]) => createSealer(keys)
const [before, after, both] = [withKeys(k1), withKeys(k2), withKeys(k2, k1)]

let ground: Ground
beforeEach(async () => {
  ground = await layGround()
})
afterEach(() => ground.stop())

const rotate = (database: Database = ground.database, more: object = {}, keys: Key[] = [k2, k1]) =>
  rotateKeys({ database, sealer: withKeys(...keys), keys, ...more })
const ids = async (database: Database = ground.database) => [
  ...new Set((await countSealed(database)).map(({ keyId }) => keyId)),
]
const everyPlace = [
  'accounts.custom_fields_sealed',
  'app_tickets.ticket',
  'deliveries.body_sealed',
  'events.payload_sealed',
  'feishu_tokens.token',
  'idempotency_keys.answer_sealed',
  'order_contacts.hash',
  'orders.data_key',
]

/** A running process, as its connections tell about it. */
function run(...keys: Key[]): Database {
  const keyMarks = marksOf(withKeys(...keys), keys)
  const database = openDatabase({ url: ground.url, log: ground.log, keyMarks })
  onTestFinished(() => database.stop())
  return database
}

describe('a rotation of keys', () => {
  it('brings everything under the first key, and all of it opens as before, without the old key', async () => {
    for (const id of ['1', '2', '3']) await sealAround(ground.database, before, id)
    const payloads = 'SELECT payload_sealed FROM orders ORDER BY background_check_id'
    const held = (await ground.database.pool.query(payloads)).rows
    const rotation = await rotate(ground.database, { batch: 2 })
    const rotated = Object.fromEntries(everyPlace.map((place) => [place, 3]))
    expect(rotation).toEqual({
      kind: 'done',
      rotated,
      remaining: [],
      sealing: [],
      free: ['k1'],
      freeFrom: expect.any(Date),
    })
    expect((await countSealed(ground.database)).map(({ place, ...rest }) => [place, rest]).sort()).toEqual(
      everyPlace.map((place) => [place, { keyId: 'k2', values: 3 }]),
    )
    for (const id of ['1', '2', '3']) {
      expect(await openAround(ground.database, after, id, both)).toMatchObject(whatWasSealed(id))
    }
    expect((await ground.database.pool.query(payloads)).rows).toEqual(held)
    expect(await rotate()).toMatchObject({ kind: 'done', rotated: {} })
  })

  it('knows every column of bytes, and what is in it', async () => {
    // Sealed with the key of their order, which is rewrapped.
    const ofOrders = ['deliveries.body_sealed', 'orders.payload_sealed', 'vendor_tasks.reason_sealed']
    // Hashes, and what tells keys apart.
    const others = [
      'archived_checks.hash',
      'encryption_keys.proof',
      'idempotency_keys.hash',
      'idempotency_keys.request',
      'order_contacts.hash',
    ]
    const { rows } = await ground.database.pool.query<{ name: string }>(
      `SELECT table_name || '.' || column_name AS name FROM information_schema.columns
       WHERE table_schema = current_schema() AND data_type = 'bytea' ORDER BY 1`,
    )
    const known = [...everyPlace, ...ofOrders, ...others, 'poll_schedule.fingerprint', 'seen_events.hash']
    expect(rows.map(({ name }) => name).filter((name) => !known.includes(name))).toEqual([])
  })

  it('walks on past pages of values that need nothing', async () => {
    await ground.database.pool.query(
      `INSERT INTO orders (background_check_id, app_id, tenant_key, state) SELECT lpad(n::text, 9, '0'), 'a', 't', 'canceled'
       FROM generate_series(1, 10000) n`,
    )
    await sealAround(ground.database, before, '000005001')
    await sealAround(ground.database, before, '1')
    expect(await rotate()).toMatchObject({ kind: 'done', rotated: { 'orders.data_key': 1 } })
  }, 60_000)

  it('sees what a process seals with the old key meanwhile', async () => {
    await sealAround(ground.database, before, '1')
    let late = 0
    const onProgress = () => {
      late += 1
      if (late > 3) return
      writing.push(sealAround(ground.database, before, `late-${late}`))
    }
    const writing: Array<Promise<void>> = []
    const slow = slowed(ground.database, () => Promise.all(writing))
    expect(await rotate(slow, { onProgress })).toMatchObject({ kind: 'done' })
    expect(await count(ground.database, 'orders')).toBe(4)
    expect(await ids()).toEqual(['k2'])
  })

  it('leaves alone what the service wrote while it was being sealed anew', async () => {
    await sealAround(ground.database, before, '1')
    const tokens = createTokenStore(ground.database.pool, before)
    let saved = false
    const slow = slowed(ground.database, async (text) => {
      if (saved || !text.includes('UPDATE feishu_tokens')) return
      saved = true
      await tokens.save({ appId: 'cli_a', tenantKey: '1' }, 'a newer token', Date.now())
    })
    expect(await rotate(slow)).toMatchObject({ kind: 'done', rotated: { 'feishu_tokens.token': 1 } })
    expect(saved).toBe(true)
    const newer = await createTokenStore(ground.database.pool, after).read({ appId: 'cli_a', tenantKey: '1' })
    expect(newer?.token).toBe('a newer token')
  })

  it('brings back nothing that was erased while it was being sealed anew', async () => {
    await sealAround(ground.database, before, '1')
    const slow = slowed(ground.database, async (text) => {
      if (text.includes('UPDATE orders')) await ground.database.pool.query('UPDATE orders SET data_key = NULL')
    })
    expect(await rotate(slow)).toMatchObject({ kind: 'done' })
    expect(await one(ground.database, 'SELECT data_key FROM orders')).toEqual({ data_key: null })
    expect(await count(ground.database, 'order_contacts')).toBe(0)
  })

  it('waits for no lock, and comes back for what was held', async () => {
    for (const id of ['1', '2']) await sealAround(ground.database, before, id)
    const other = ground.another()
    let rotating: Promise<Rotation> | undefined
    await other.transaction(async (sql) => {
      await sql.query(`SELECT 1 FROM orders WHERE background_check_id = '1' FOR UPDATE`)
      rotating = rotate()
      const rest = () => countSealed(ground.database)
      const left = ['orders.data_key', 'order_contacts.hash'].map((place) => ({ place, keyId: 'k1', values: 1 }))
      await expect
        .poll(async () => (await rest()).filter(({ keyId }) => keyId === 'k1'), { timeout: 20_000 })
        .toEqual(left)
    })
    expect(await rotating).toMatchObject({ kind: 'done', rotated: { 'orders.data_key': 2 } })
  })

  it('goes on where it ended when it died', async () => {
    for (const id of ['1', '2', '3', '4', '5']) await sealAround(ground.database, before, id)
    let done = 0
    const die = () => {
      done += 1
      if (done === 3) throw new Error('died')
    }
    await expect(rotate(ground.database, { batch: 1, onProgress: die })).rejects.toThrow('died')
    expect(await ids()).toEqual(['k1', 'k2'])
    expect(await rotate()).toMatchObject({ kind: 'done', rotated: { 'orders.data_key': 2 } })
  })

  it('touches nothing while a running process lacks the new key, and is not done while one seals with another', async () => {
    await sealAround(ground.database, before, '1')
    // PostgreSQL shows a connection for a moment longer than it lasts.
    const nobody = () => expect.poll(() => keysStatus(ground.database, both, [k2, k1])).toMatchObject({ running: [] })
    const lacking = run(k1)
    await admitKeys(lacking, before)
    expect(await rotate()).toMatchObject({ kind: 'refused', lacking: [{}] })
    expect(await ids()).toEqual(['k1'])
    await lacking.stop()
    await nobody()
    const sealing = run(k1, k2)
    await admitKeys(sealing, withKeys(k1, k2))
    expect(await rotate()).toMatchObject({ kind: 'unfinished', remaining: [], sealing: [{}], free: [] })
    await sealing.stop()
    await nobody()
    await admitKeys(run(k2, k1), both)
    expect(await rotate()).toMatchObject({ kind: 'done', sealing: [], free: ['k1'] })
  })

  it('is not done when a process came, sealed and went while it counted', async () => {
    await sealAround(ground.database, before, '1')
    await admitKeys(ground.database, before)
    let gone = false
    const slow = slowed(ground.database, async (text) => {
      if (gone || !text.includes('LOCK TABLE encryption_keys')) return
      gone = true
      const visitor = run(k1, k2)
      await admitKeys(visitor, withKeys(k1, k2))
      await sealAround(visitor, withKeys(k1, k2), '2')
      await visitor.stop()
      await expect.poll(() => keysStatus(ground.database, both, [k2, k1])).toMatchObject({ running: [] })
    })
    expect(await rotate(slow)).toMatchObject({ kind: 'unfinished', free: [] })
    expect(await rotate()).toMatchObject({ kind: 'done', free: ['k1'] })
  })

  it('leaves what no key opens, and names it', async () => {
    await sealAround(ground.database, before, '1')
    await ground.database.pool.query(
      `UPDATE accounts SET custom_fields_sealed = custom_fields_sealed || '\\x00' WHERE account_id = '1'`,
    )
    const left = { place: 'accounts.custom_fields_sealed', keyId: 'k1', values: 1 }
    expect(await rotate()).toMatchObject({ kind: 'unfinished', remaining: [left], free: [] })
    await ground.database.pool.query(`UPDATE accounts SET custom_fields_sealed = '\\x0109' WHERE account_id = '1'`)
    expect(await rotate()).toMatchObject({ kind: 'unfinished', remaining: [{ ...left, keyId: null }] })
  })
})

describe('keys that come later than the first values', () => {
  const none = withKeys()

  it('seal what was plain, and give each order a new key', async () => {
    await sealAround(ground.database, none, '1')
    await cancelAround(ground.database, none, '1')
    const plain = await one<{ data_key: Buffer }>(ground.database, 'SELECT data_key FROM orders')
    expect(await rotate(ground.database, {}, [k1])).toMatchObject({ kind: 'done', rotated: { 'orders.data_key': 1 } })
    expect(await openAround(ground.database, before, '1')).toMatchObject(whatWasSealed('1'))
    const { data_key } = await one<{ data_key: Buffer }>(ground.database, 'SELECT data_key FROM orders')
    expect(before.open(data_key, dataKeyContext('1'))).not.toEqual(plain.data_key.subarray(1))
    expect(await reasonsTold()).toEqual(['reason 1'])
  })

  /** What the vendor hears when the canceling runs. */
  async function reasonsTold(): Promise<string[]> {
    const told: string[] = []
    const never = () => Promise.reject(new Error('only the cancel is told'))
    const vendor = {
      bindAccount: never,
      placeOrder: never,
      findOrder: never,
      getOrder: never,
      openReport: never,
      cancelOrder: async (_id: string, reason: string) => {
        told.push(reason)
        return { kind: 'ok' as const, value: undefined }
      },
    }
    const row = await one<{ reason_sealed: Buffer }>(
      ground.database,
      'SELECT reason_sealed FROM vendor_tasks WHERE reason_sealed IS NOT NULL',
    )
    const task = { subject: 'order:1', id: '1', action: 'cancel', tenantKey: 'tk_a', fence: 0, attempts: 0 } as const
    const rest = { ageMs: 0, ambiguousAt: null, reasonSealed: row.reason_sealed }
    const { database, log } = ground
    // The other verbs of an adapter are not called.
    const options = { database, log, sealer: before, vendor: vendor as never }
    await createCanceling(options)({ ...task, ...rest } as never, new AbortController().signal)
    return told
  }

  it('pass over an order whose stage is being sent, and take it when that is settled', async () => {
    await sealAround(ground.database, none, '1')
    const { id: bucket } = await one<{ id: number }>(
      ground.database,
      `SELECT id FROM buckets WHERE api = 'update_progress'`,
    )
    const [claim] = await claimHeads(ground.database.pool, bucket, 1, 60_000)
    const rotating = rotate(ground.database, {}, [k1])
    await expect.poll(async () => (await ids()).sort(), { timeout: 20_000 }).toEqual(['', 'k1'])
    const left = async () => (await countSealed(ground.database)).filter(({ keyId }) => keyId === '')
    await expect.poll(left).toEqual([{ place: 'orders.data_key', keyId: '', values: 1 }])
    if (claim === undefined) throw new Error('a stage is due')
    expect(openOrderContent(claim, before).body).toMatchObject({ stage_name: 'stage 1' })
    const { now } = await one<{ now: string }>(ground.database, 'SELECT now()::text AS now')
    await ground.database.pool.query(`UPDATE deliveries SET state = 'pending', due_at = now() WHERE id = $1`, [
      claim.id,
    ])
    expect(await rotating).toMatchObject({ kind: 'done' })
    // A claim that began before this was written may not take the new body with the old key.
    const soon = `deliveries WHERE due_at < $1::timestamptz + interval '5 s' AND background_check_id IS NOT NULL`
    expect(await count(ground.database, soon, [now])).toBe(0)
    await ground.database.pool.query('UPDATE deliveries SET due_at = now()')
    const [next] = await claimHeads(ground.database.pool, bucket, 1, 60_000)
    if (next === undefined) throw new Error('a stage is due')
    expect(openOrderContent(next, before).body).toMatchObject({ stage_name: 'stage 1' })
  })
})

describe('the keys of a database', () => {
  it('are those that a process seals with, until nothing lies under them any more', async () => {
    await admitKeys(ground.database, before)
    await expect(admitKeys(ground.database, after)).rejects.toThrow('lacks the key "k1"')
    await expect(admitKeys(ground.database, withKeys())).rejects.toThrow('lacks the key "k1"')
    await sealAround(ground.database, before, '1')
    await admitKeys(ground.database, both)
    await expect(admitKeys(ground.database, before)).rejects.toThrow('lacks the key "k2"')
    expect(await rotate()).toMatchObject({ kind: 'done' })
    await admitKeys(ground.database, after)
  })

  it('are not another key under the same id', async () => {
    await admitKeys(ground.database, before)
    const other = withKeys({ id: 'k1', key: randomBytes(32) })
    await expect(admitKeys(ground.database, other)).rejects.toThrow('another key under the id "k1"')
  })

  it('are struck off by a rotation where nothing lies under them, also by one that does not have them', async () => {
    await sealAround(ground.database, before, '1')
    await admitKeys(ground.database, before)
    await admitKeys(ground.database, both)
    await expect(admitKeys(ground.database, before)).rejects.toThrow('lacks the key "k2"')
    expect(await rotateKeys({ database: ground.database, sealer: before, keys: [k1] })).toMatchObject({ kind: 'done' })
    await admitKeys(ground.database, before)
    await sealAround(ground.database, both, '2')
    await admitKeys(ground.database, both)
    const lost = rotateKeys({ database: ground.database, sealer: before, keys: [k1] })
    await expect(lost).rejects.toThrow('lacks the key "k2"')
  })

  it('do not open what was sealed with another one under their id', async () => {
    await sealAround(ground.database, before, '1')
    await admitKeys(ground.database, before)
    const other = { id: 'k1', key: randomBytes(32) }
    const { counts } = await keysStatus(ground.database, withKeys(other), [other])
    expect(counts).toContainEqual({ place: 'orders.data_key', keyId: 'k1', values: 1, opens: false })
  })

  it('are read from the values where nobody has written them down', async () => {
    await sealAround(ground.database, before, '1')
    await expect(admitKeys(ground.database, after)).rejects.toThrow('lacks the key "k1"')
    await admitKeys(ground.database, both)
  })

  it('are counted by place, with who has them, and nothing is written', async () => {
    await sealAround(ground.database, before, '1')
    await sealAround(ground.database, both, '2')
    const running = [run(k2, k1), run(k1, k2), run(k1)]
    await Promise.all(running.map(({ pool }) => pool.query('SELECT 1')))
    const status = await keysStatus(ground.database, after, [k2])
    expect(status.first).toBe('k2')
    expect(status.counts).toContainEqual({ place: 'orders.data_key', keyId: 'k1', values: 1, opens: false })
    expect(status.counts).toContainEqual({ place: 'orders.data_key', keyId: 'k2', values: 1, opens: true })
    expect(status.running.map(({ firstKey }) => firstKey).sort()).toEqual(['lacks', 'opens', 'seals'])
    expect(await count(ground.database, 'encryption_keys')).toBe(0)
  })
})

/** The database, with something that happens before each of its statements. */
function slowed(database: Database, happens: (text: string) => unknown): Database {
  const first = async <T>(text: unknown, go: () => Promise<T>) => {
    await happens(String(text))
    return go()
  }
  const pool = new Proxy(database.pool, {
    get: (target, name, receiver) =>
      name === 'query'
        ? (text: string, values?: unknown[]) => first(text, () => target.query(text, values))
        : Reflect.get(target, name, receiver),
  })
  return {
    ...database,
    pool,
    transaction: (work) =>
      database.transaction((sql) =>
        work({
          ...sql,
          query: ((text: string, values?: unknown[]) => first(text, () => sql.query(text, values))) as never,
        }),
      ),
  }
}
