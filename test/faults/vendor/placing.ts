import { expect } from 'vitest'
import { createCanceling, giveUpCanceling } from '../../../src/flow/orders/cancel-at-vendor.js'
import { giveUpPlacing } from '../../../src/flow/orders/fail.js'
import { createPlacing } from '../../../src/flow/orders/place.js'
import { placeAgain } from '../../../src/flow/orders/place-again.js'
import { startTaskWorker } from '../../../src/flow/orders/tasks.js'
import type { VendorAdapter } from '../../../src/flow/vendor/adapter.js'
import { createBreaker } from '../../../src/flow/vendor/breaker.js'
import { guardVendor } from '../../../src/flow/vendor/guarded.js'
import { createHttpVendor } from '../../../src/flow/vendor/http.js'
import type { Started } from '../../../src/platform/lifetime.js'
import type { Loop } from '../../../src/platform/loop.js'
import { startSandboxVendor, type VendorOptions } from '../../../src/sandbox/index.js'
import { lanesOn } from '../../support/lane-room.js'
import { type Ground, layGround, one } from '../../support/room.js'
import { type Mangler, startMangler } from './mangler.js'

const apiKey = 'vendor-key-of-the-sandbox'

export interface RoomOptions {
  vendor?: Partial<VendorOptions>
  timeoutMs?: number
}

export interface OrderRow {
  state: string
  vendor_order_id: string | null
  attention: string[]
  failure: { class: string; message: string } | null
}

export interface TaskRow {
  fence: number
  attempts: number
  ambiguous_at: Date | null
  due_in_s: number
}

/** Placing at a vendor over real HTTP, its way there spoilt by a mangler. Processes come and go; the rows stay. */
export type PlacingRoom = Awaited<ReturnType<typeof startPlacingRoom>>

export async function startPlacingRoom({ vendor: options = {}, timeoutMs = 300 }: RoomOptions = {}) {
  const ground = await layGround()
  const vendor = await startSandboxVendor({ apiKey, ...options })
  const mangler = await startMangler(vendor.url)
  const lanes = lanesOn(ground)
  const started: Started[] = []
  /** One that hangs has a single place, so that it claims nothing more. */
  const startProcess = (wrap?: (adapter: VendorAdapter) => VendorAdapter): Loop => {
    const { worker, http } = openProcess({ ground, mangler, timeoutMs, concurrency: wrap ? 1 : 8 }, wrap)
    started.push({ stop: async () => void (await Promise.all([worker.stop(), http.stop?.()])) })
    return worker
  }
  const { pool } = ground.database
  const orderOf = (id: string) =>
    one<OrderRow>(ground.database, 'SELECT * FROM orders WHERE background_check_id = $1', [id])
  const taskOf = async (id: string) =>
    (
      await pool.query<TaskRow>(
        `SELECT *, extract(epoch FROM due_at - now())::float8 AS due_in_s FROM vendor_tasks WHERE subject = $1`,
        [`order:${id}`],
      )
    ).rows[0]
  /** Looks again and again; whatever is put off is due at once. */
  const hastened = <T>(worker: Loop, probe: () => T | Promise<T>) =>
    expect.poll(
      async () => {
        await pool.query('UPDATE vendor_tasks SET due_at = now() WHERE NOT claimed')
        worker.wake()
        return probe()
      },
      { timeout: 30_000, interval: 10 },
    )
  return {
    ground,
    vendor,
    mangler,
    receive: () => lanes.receive(),
    cancel: (id: string) => lanes.cancel(id),
    again: (id: string) => ground.database.transaction((sql) => placeAgain(sql, id)),
    startProcess,
    orderOf,
    taskOf,
    kindsOf: async (id: string) =>
      (
        await pool.query<{ kind: string }>('SELECT kind FROM timeline WHERE background_check_id = $1 ORDER BY id', [id])
      ).rows.map((row) => row.kind),
    hastened,
    /** The order's claim runs out, as it does by the clock when a process hangs or dies. */
    endClaim: (id: string) => pool.query('UPDATE vendor_tasks SET due_at = now() WHERE subject = $1', [`order:${id}`]),
    placed: async (worker: Loop, id: string) => {
      await hastened(worker, async () => (await orderOf(id)).state).toBe('ordered')
    },
    stop: async () => {
      await mangler.stop()
      await Promise.all(started.map((each) => each.stop()))
      await vendor.stop()
      await ground.stop()
    },
  }
}

interface Means {
  ground: Ground
  mangler: Mangler
  timeoutMs: number
  concurrency: number
}

function openProcess(
  { ground, mangler, timeoutMs, concurrency }: Means,
  wrap: (adapter: VendorAdapter) => VendorAdapter = (adapter) => adapter,
) {
  const http = createHttpVendor({ baseUrl: mangler.url, apiKey, timeoutMs })
  const terms = { failuresToOpen: 5, openMs: 20, maxOpenMs: 100, random: () => 0.5 }
  const breaker = createBreaker({ ...terms, probeMs: 2 * timeoutMs, now: () => performance.now() })
  const vendor = wrap(guardVendor(http, { breaker, concurrency }))
  const database = ground.another()
  const { sealer, log } = ground
  const common = { database, sealer, vendor, log, random: () => 0, timeoutMs }
  const nothing = () => undefined
  const noTask = () => Promise.reject(new Error('no such task here'))
  const worker = startTaskWorker({
    database,
    log,
    concurrency,
    leaseMs: 600_000,
    run: {
      bind: noTask,
      place: createPlacing({ ...common, onPlaced: nothing, onCancelWanted: nothing }),
      cancel: createCanceling(common),
      resend: noTask,
    },
    giveUp: { bind: noTask, place: giveUpPlacing, cancel: giveUpCanceling, resend: noTask },
  })
  return { worker, http }
}
