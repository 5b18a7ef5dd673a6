import { afterEach, describe, expect, it } from 'vitest'
import { type Database, openDatabase } from '../../../src/platform/database/database.js'
import { createLogger } from '../../../src/platform/logger.js'
import { type FaultRates, seededFaults, type VendorOrder } from '../../../src/sandbox/index.js'
import { seededRandom } from '../../../src/sandbox/support/random.js'
import { customers } from '../../story/lives.js'
import { startWorld, type World } from '../../story/world.js'
import { unclear } from './answers.js'
import { json, type Mangling } from './mangler.js'
import { type PlacingRoom, startPlacingRoom } from './placing.js'

let room: PlacingRoom | undefined
let world: World | undefined
let database: Database | undefined

afterEach(async () => {
  await room?.stop()
  await database?.stop()
  await world?.stop()
  room = undefined
  database = undefined
  world = undefined
})

const given = process.env.VENDOR_SEED
const seeds = given === undefined ? [1, 2, 3].map((offset) => (Date.now() % 1_000_000) * 10 + offset) : [Number(given)]

describe.each(['honoured', 'ignored'] as const)('with an Idempotency-Key that is %s', (idempotencyKeys) => {
  it.each(seeds)(
    'two processes leave one order for each check, whatever the vendor answers (VENDOR_SEED=%i)',
    async (seed) => {
      const random = seededRandom(seed)
      room = await startPlacingRoom({ vendor: { idempotencyKeys }, timeoutMs: 200 })
      const answers = Object.values(unclear)
      const pick = <T>(all: readonly T[]): T | undefined => all[Math.floor(random() * all.length)]
      const nothing: Mangling = { apply: false, answer: json(200, { orders: [] }) }
      let spoilt = 0
      room.mangler.use((operation) => {
        if (spoilt > 120 || random() < 0.4) return undefined
        spoilt += 1
        // A look-up may say what is not so only to those whose key is honoured.
        if (operation === 'find' && idempotencyKeys === 'honoured' && random() < 0.5) return nothing
        if (operation === 'find')
          return { apply: false, answer: pick([json(500, ''), json(429, ''), unclear['a reset']]) }
        return operation === 'create' ? { apply: random() < 0.6, answer: pick(answers) } : undefined
      })
      const ids = await receiveMany(room, 20)
      const [one, other] = [room.startProcess(), room.startProcess()]
      const { pool } = room.ground.database
      await room
        .hastened(one, async () => {
          other.wake()
          // Now and then a claim runs out while its call is under way.
          if (random() < 0.05) await room?.endClaim(pick(ids) ?? '')
          return (await pool.query('SELECT 1 FROM vendor_tasks')).rowCount
        })
        .toBe(0)
      const counts = ids.map((id) => room?.vendor.orderCount(id))
      expect(counts).toEqual(ids.map(() => 1))
      for (const id of ids) {
        expect(await room.orderOf(id)).toMatchObject({
          state: 'ordered',
          vendor_order_id: room.vendor.order(id).orderId,
        })
      }
    },
    60_000,
  )
})

async function receiveMany({ receive }: PlacingRoom, count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, receive))
}

const rates: FaultRates = {
  reset: 0.06,
  lostAnswer: 0.08,
  serverError: 0.06,
  serverErrorApplied: 0.05,
  garbage: 0.04,
  garbageApplied: 0.05,
  slow: 0.05,
  rateLimited: 0.01,
}

it.each(seeds)(
  'what reaches Feishu is in order and comes to its end, however the vendor changes its words (VENDOR_SEED=%i)',
  async (seed) => {
    const random = seededRandom(seed)
    world = await startWorld({ env: { VENDOR_TIMEOUT_MS: '300' }, vendor: { rotateReportLinks: true } })
    database = openDatabase({ url: world.config.databaseUrl ?? '', log: createLogger('silent') })
    const { feishu, vendor } = world
    const accounts = customers.map((customer) => ({ ...customer, ...feishu.createAccount(customer) }))
    const ids = Array.from({ length: 12 }, (_, index) => {
      const account = accounts[index % accounts.length]
      if (account === undefined) throw new Error('no account')
      const { appId, tenantKey, accountId } = account
      return feishu.createOrder({ appId, tenantKey, accountId }).backgroundCheckId
    })
    vendor.useFaults(seededFaults(seed, rates))
    await expect.poll(() => placed(ids), { timeout: 150_000, interval: 50 }).toBe(ids.length)
    for (let step = 0; step < 120; step += 1) {
      const order = vendor.order(ids[Math.floor(random() * ids.length)] ?? '')
      misbehave(vendor, order, random)
      await new Promise((resolve) => setTimeout(resolve, random() * 20))
    }
    vendor.clearFaults()
    for (const id of ids) behave(vendor, vendor.order(id))
    for (const id of ids) await world.api('POST', `/v1/orders/${id}/poll`)
    const ended = () => ids.filter((id) => /completed|terminated|in_approval/.test(feishu.order(id).status)).length
    await expect.poll(ended, { timeout: 120_000, interval: 50 }).toBe(ids.length)
    expect(feishu.checkPromises()).toEqual([])
    expect(ids.map((id) => vendor.orderCount(id))).toEqual(ids.map(() => 1))
    expect((await world.api('GET', '/v1/deliveries?state=dead')).body['items']).toEqual([])
  },
  300_000,
)

/** How many orders are at the vendor. Pauses double, and would take most of the time: what is put off is due at once. */
async function placed(ids: readonly string[]): Promise<number> {
  await database?.pool.query('UPDATE vendor_tasks SET due_at = now() WHERE NOT claimed AND due_at > now()')
  return ids.filter((id) => (world?.vendor.orderCount(id) ?? 0) > 0).length
}

type Vendor = World['vendor']

/** One step of a vendor that keeps no promise about its words. */
function misbehave(vendor: Vendor, order: VendorOrder, random: () => number): void {
  const { orderId, stages } = order
  const now = Date.now()
  const times = [now, now - 1_000_000, 0, -5, now * 1000, 4_102_444_800_000, now + 0.5, String(now), null]
  const time = times[Math.floor(random() * times.length)] as number
  const id = `s-${Math.floor(random() * 6)}`
  const stage = { id, name: `stage ${Math.floor(random() * 3)}`, time }
  const result = { result: `result ${Math.floor(random() * 3)}`, time, reports: [] }
  const steps: Array<() => void> = [
    () => vendor.setOrder(orderId, { stages: [...stages, stage], status: 'in_progress' }),
    () => vendor.setOrder(orderId, { stages: [stage, ...stages] }),
    () => vendor.setOrder(orderId, { stages: stages.toReversed() }),
    () => vendor.setOrder(orderId, { stages: stages.slice(1) }),
    () => vendor.setOrder(orderId, { stages: [] }),
    () => vendor.setOrder(orderId, { status: 'pending' }),
    () => vendor.setOrder(orderId, { status: 'gone' } as object),
    () => vendor.setOrder(orderId, random() < 0.2 ? { status: 'completed', result } : {}),
    () => vendor.setOrder(orderId, random() < 0.1 ? { status: 'canceled' } : {}),
  ]
  steps[Math.floor(random() * steps.length)]?.()
}

function behave(vendor: Vendor, { orderId, stages }: VendorOrder): void {
  const readable = stages.filter(({ time }) => Number.isSafeInteger(time))
  const last = { id: 'last', name: 'last', time: Date.now() }
  const result = { result: 'final', time: Date.now(), reports: [] }
  vendor.setOrder(orderId, { status: 'completed', stages: [...readable, last], result })
}
