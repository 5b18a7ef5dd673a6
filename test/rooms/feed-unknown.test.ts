import { afterEach, beforeEach, expect, test } from 'vitest'
import { settleKnown } from '../../src/flow/findings.js'
import { startFeed } from '../../src/flow/orders/feed.js'
import type { VendorOrder } from '../../src/flow/vendor/adapter.js'
import type { Started } from '../../src/platform/lifetime.js'
import { eventually } from '../support/eventually.js'
import { lanesOn } from '../support/lane-room.js'
import { count, freshId, type Ground, layGround, one } from '../support/room.js'
import { ok, scriptedVendor } from '../support/scripted-vendor.js'
import { saying } from '../support/vendor-words.js'

let ground: Ground
const started: Started[] = []

beforeEach(async () => {
  ground = await layGround()
})

afterEach(async () => {
  await stopFollowing()
  await ground.stop()
})

async function stopFollowing(): Promise<void> {
  await Promise.all(started.splice(0).map((each) => each.stop()))
}

/** A feed that names these orders, and names them again. */
async function follow(orders: VendorOrder[]): Promise<void> {
  const vendor = scriptedVendor()
  let rounds = 0
  vendor.changes = async () => {
    rounds += 1
    return ok({ expired: false, orders, cursor: `c-${rounds}`, hasMore: false })
  }
  const { database, sealer, log } = ground
  const terms = { minMs: 20, maxMs: 3_600_000 }
  started.push(startFeed({ database, sealer, vendor, log, terms, isOffered: () => true, onReady: () => undefined }))
  await eventually(() => rounds).toBeGreaterThan(2)
}

test('an order of the vendor for a check that is not known here is listed once, until the check comes', async () => {
  const unknown = freshId()
  await follow([{ ...saying('in_progress', []), orderId: 'V-9', backgroundCheckId: unknown }])
  const found = await one<Record<string, unknown>>(ground.database, 'SELECT * FROM findings')
  expect(found).toMatchObject({
    kind: 'vendor_order_unknown_here',
    background_check_id: unknown,
    vendor_order_id: 'V-9',
    state: 'open',
  })
  await settleKnown(ground.database.pool)
  expect(await count(ground.database, `findings WHERE state = 'open'`)).toBe(1)
  // What it writes just now is left to the next look.
  await stopFollowing()
  await lanesOn(ground).receive(unknown)
  await settleKnown(ground.database.pool)
  expect(await count(ground.database, `findings WHERE state = 'gone' AND settled_at IS NOT NULL`)).toBe(1)
})

test('an order that is being placed, one that is known and those that are no checks of Feishu are not listed', async () => {
  const lanes = lanesOn(ground)
  const [placing, known] = [await lanes.receive(), await lanes.place()]
  await follow([
    { ...saying('pending', []), orderId: 'V-new', backgroundCheckId: placing },
    { ...saying('pending', []), orderId: `V-${known}`, backgroundCheckId: known },
    { ...saying('pending', []), orderId: 'V-own' },
    { ...saying('pending', []), orderId: 'V-text', backgroundCheckId: 'not an id' },
  ])
  expect(await count(ground.database, 'findings')).toBe(0)
})
