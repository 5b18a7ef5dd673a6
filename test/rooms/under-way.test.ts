import { afterAll, beforeAll, expect, test } from 'vitest'
import { startFeed } from '../../src/flow/orders/feed.js'
import { createPollClaim } from '../../src/flow/orders/poll-claim.js'
import { settleChanged } from '../../src/flow/orders/poll-settle.js'
import type { VendorOrder } from '../../src/flow/vendor/adapter.js'
import { eventually } from '../support/eventually.js'
import { again, handedBack, lanesOn } from '../support/lane-room.js'
import { count, type Ground, layGround } from '../support/room.js'
import { ok, scriptedVendor } from '../support/scripted-vendor.js'
import { report, saying, stage } from '../support/vendor-words.js'

let ground: Ground
let lanes: ReturnType<typeof lanesOn>

beforeAll(async () => {
  ground = await layGround()
  lanes = lanesOn(ground)
})

afterAll(() => ground.stop())

const terms = { minMs: 20, maxMs: 3_600_000 }
const linking = (url: string) => saying('in_progress', [stage('a', { reports: [report('x', url)] })])

async function placeToPoll(): Promise<string> {
  const id = await lanes.place()
  const text = `INSERT INTO poll_schedule (background_check_id, tenant_key, interval_ms) VALUES ($1, 'tk_lane', 0)`
  await ground.database.pool.query(text, [id])
  return id
}

/** Polls these orders, as beside a feed, which would leave them alone for the longest interval. */
async function poll(said: ReadonlyMap<string, VendorOrder>): Promise<void> {
  const { database, sealer, log } = ground
  const options = { database, sealer, log, terms, isFeedFollowed: () => true, onReady: () => undefined }
  await database.pool.query('UPDATE poll_schedule SET due_at = now()')
  const { rows } = await createPollClaim(database)({ most: 9, among: 9, alone: 9, leaseMs: 600_000 })
  for (const row of rows) await settleChanged(options, row, said.get(row.id) ?? saying('pending', []))
}

const toReadAgain = `poll_schedule WHERE due_at < now() + interval '1 minute' AND fingerprint = ''`

test('an answer that meets a delivery under way is read again soon, and reaches what comes back', async () => {
  const [linked, withdrawn] = [await placeToPoll(), await placeToPoll()]
  const said = new Map([
    [linked, linking('https://old.example')],
    [withdrawn, saying('completed', [])],
  ])
  await poll(said)
  expect(await count(ground.database, toReadAgain)).toBe(0)
  const claims = await lanes.claim()
  said.set(linked, linking('https://new.example')).set(withdrawn, saying('in_progress', []))
  await poll(said)
  expect(await count(ground.database, toReadAgain)).toBe(2)
  const of = (id: string) => claims.filter((claim) => claim.backgroundCheckId === id)
  await lanes.settle(of(linked), again)
  await lanes.settle(of(withdrawn), handedBack)
  const [before] = await lanes.rows(linked)
  await poll(said)
  expect(await count(ground.database, toReadAgain)).toBe(0)
  expect((await lanes.rows(linked))[0]?.body_sealed).not.toEqual(before?.body_sealed)
  expect((await lanes.rows(withdrawn)).map((row) => row.state)).toEqual(['superseded'])
  await ground.database.pool.query('DELETE FROM poll_schedule')
})

test('a page of the feed that meets a delivery under way has its order polled soon, whatever the poll says', async () => {
  const id = await placeToPoll()
  await lanes.record(id, linking('https://old.example'))
  await lanes.claim()
  const orders = [{ ...linking('https://new.example'), orderId: `V-${id}` }]
  const vendor = scriptedVendor()
  vendor.changes = async () => ok({ expired: false, orders: orders.splice(0), cursor: 'c-1', hasMore: false })
  const { database, sealer, log } = ground
  const feed = startFeed({ database, sealer, vendor, log, terms, isOffered: () => true, onReady: () => undefined })
  await eventually(() => count(database, toReadAgain)).toBe(1)
  await feed.stop()
})
