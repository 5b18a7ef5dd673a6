import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { cancelByCustomer } from '../../../src/flow/orders/cancel.js'
import { recordVendorOrder } from '../../../src/flow/orders/record.js'
import { reviveDelivery } from '../../../src/flow/outbox/revive.js'
import type { Metrics } from '../../../src/operate/metrics.js'
import type { Database, Sql } from '../../../src/platform/database/database.js'
import { redisLimiter } from '../../../src/platform/limiter/redis.js'
import type { SandboxFeishu } from '../../../src/sandbox/index.js'
import { seededRandom } from '../../../src/sandbox/support/random.js'
import type { Ground } from '../room.js'
import { passTime } from './clock.js'
import { apps, type Lane, placeOrder, startFeishu, windowsOf } from './customers.js'
import { planFaults } from './faults.js'
import type { Surroundings } from './instance.js'
import type { WorldPlan } from './plan.js'
import { Processes } from './processes.js'

/** What all worlds of a run stand on. */
export interface Earth {
  ground: Ground
  /** One for each process that runs at once, and one for those that follow it. */
  databases: readonly Database[]
  redis: Redis
  metrics: Metrics
}

/** A world at its end. */
export interface Lived {
  plan: WorldPlan
  feishu: SandboxFeishu
  lanes: readonly Lane[]
  /** As `Processes` says. */
  crashedAt: readonly number[]
}

const tickMs = 12
const longestLifeMs = 60_000
/** Of dead deliveries that are seen at a tick, so many are sent again. */
const revivedPart = 0.2

/** Lets every lane of the plan come to its end, and hands over what there is to judge. The caller stops `feishu`. */
export async function liveThrough(earth: Earth, plan: WorldPlan): Promise<Lived> {
  const { pool } = earth.ground.database
  await pool.query(
    'TRUNCATE orders, lanes, deliveries, buckets, holds, feishu_tokens, vendor_tasks, poll_schedule, timeline',
  )
  await earth.redis.flushall()
  const feishu = await startFeishu(plan)
  return new World(earth, plan, feishu).live()
}

class World {
  readonly #earth: Earth
  readonly #plan: WorldPlan
  readonly #feishu: SandboxFeishu
  readonly #around: Surroundings
  readonly #random: () => number
  #lanes: Lane[] = []
  /** How far the limiter's clock is ahead, ms: what waits for it needs no real time. */
  #aheadMs = 0
  #failure: Error | undefined
  /** Customers' cancels that the service is hearing of besides what the vendor says. */
  #cancels = 0

  constructor(earth: Earth, plan: WorldPlan, feishu: SandboxFeishu) {
    this.#earth = earth
    this.#plan = plan
    this.#feishu = feishu
    this.#random = seededRandom(plan.seed)
    const limiter = redisLimiter({
      redis: earth.redis,
      storeClock: () => Math.floor(performance.timeOrigin + performance.now() + this.#aheadMs),
    })
    const { ground, metrics } = earth
    const { retryMaxAgeMs, timeoutMs } = plan
    // After each death Redis is empty, and whoever may read waits until all reads of before are over: 15 s of real time.
    const lookAfterMs = plan.windows === 'tight' ? [] : [5, 15, 30]
    const common = { ground, metrics, apps, windows: windowsOf(plan), retryMaxAgeMs, timeoutMs, lookAfterMs, limiter }
    this.#around = { ...common, feishuUrl: feishu.url, listeners: new Map() }
  }

  async live(): Promise<Lived> {
    this.#lanes = await Promise.all(this.#plan.lanes.map((lane) => placeOrder(this.#earth.ground, this.#feishu, lane)))
    const processes = this.#startProcesses()
    const ids = this.#lanes.map(({ id }) => id)
    // Whoever takes over shall not be done before the process that stands still goes on.
    const isSlow = () => processes.someStandStill
    planFaults(this.#feishu, this.#plan, ids, isSlow, (id) => this.#cancelAtResult(processes, id))
    try {
      await this.#untilSettled(processes)
    } finally {
      await processes.stop()
    }
    if (this.#failure) throw this.#failure
    return { plan: this.#plan, feishu: this.#feishu, lanes: this.#lanes, crashedAt: processes.crashedAt }
  }

  #startProcesses(): Processes {
    const { databases, redis } = this.#earth
    const { endings, seed, windows } = this.#plan
    return new Processes({
      around: this.#around,
      databases,
      endings,
      seed,
      random: this.#random,
      // In tight windows the slots of the dead would be missed for seconds: Redis goes with the machine that died.
      onDeath: async () => void (windows === 'tight' && (await redis.flushall())),
      onFailure: (failure) => this.#fail(failure),
    })
  }

  async #untilSettled(processes: Processes): Promise<void> {
    let told = false
    Promise.all(this.#lanes.map((lane) => this.#tell(processes, lane))).then(
      () => {
        told = true
      },
      (failure: unknown) => this.#fail(failure),
    )
    const late = performance.now() + longestLifeMs
    for (;;) {
      // PostgreSQL's clock is made to pass below, the limiter's here; in tight windows real time is what matters.
      if (this.#plan.windows === 'wide') this.#aheadMs += 1500
      const left = await passTime(this.#earth.ground.database.pool, (bucket) => processes.wake(bucket))
      this.#approve()
      const revived = await this.#reviveSome(processes)
      if (told && left === 0 && !revived && this.#cancels === 0) return
      if (performance.now() > late) this.#fail(new Error(`${left} deliveries did not settle`))
      if (this.#failure) throw this.#failure
      await sleep(tickMs)
    }
  }

  /** What goes wrong with the world itself ends it. */
  #fail(failure: unknown): void {
    this.#failure ??= failure instanceof Error ? failure : new Error('the world itself failed', { cause: failure })
  }

  /** What the vendor says about one order, and the customer who stops it, one after the other. */
  async #tell(processes: Processes, lane: Lane): Promise<void> {
    const { sayings, cancelAfter } = lane.plan
    await this.#pause()
    for (const [index, saying] of sayings.entries()) {
      if (cancelAfter === index) await this.#cancel(processes, lane)
      await this.#inSome(processes, (sql) =>
        recordVendorOrder(sql, this.#earth.ground.sealer, lane.id, saying, Date.now(), {
          mayRecord: async () => true,
          isLatest: true,
        }),
      )
      await this.#pause()
    }
    if (cancelAfter !== null && cancelAfter >= sayings.length) await this.#cancel(processes, lane)
  }

  async #cancel(processes: Processes, lane: Lane): Promise<void> {
    if (!this.#stopInFeishu(lane)) return
    // Its event takes a while.
    await this.#pause()
    await this.#hearOfCancel(processes, lane)
  }

  #cancelAtResult(processes: Processes, id: string): void {
    const lane = this.#lanes.find((each) => each.id === id)
    if (!lane?.plan.cancelAtResult || this.#feishu.order(id).status !== 'in_approval') return
    this.#stopInFeishu(lane)
    this.#cancels += 1
    this.#hearOfCancel(processes, lane)
      .catch((failure: unknown) => this.#fail(failure))
      .finally(() => {
        this.#cancels -= 1
      })
  }

  /** False when the check is over already. */
  #stopInFeishu(lane: Lane): boolean {
    const { status } = this.#feishu.order(lane.id)
    if (status === 'completed' || status === 'terminated') return false
    this.#feishu.cancelOrder(lane.id, { hold: true })
    lane.canceledInFeishu = true
    return true
  }

  async #hearOfCancel(processes: Processes, lane: Lane): Promise<void> {
    await this.#inSome(processes, (sql) =>
      cancelByCustomer(sql, this.#earth.ground.sealer, lane.origin, lane.id, 'withdrew'),
    )
  }

  /** As a poll or an event would do it: whoever dies with it leaves it to the next one. */
  async #inSome<T>(processes: Processes, work: (sql: Sql) => Promise<T>): Promise<T> {
    for (;;) {
      if (this.#failure) throw this.#failure
      const done = await processes.transaction(work)
      if (done !== 'ended') return done
      await sleep(1)
    }
  }

  async #reviveSome(processes: Processes): Promise<boolean> {
    const { pool } = this.#earth.ground.database
    const { rows } = await pool.query<{ id: string; background_check_id: string }>(
      `SELECT id, background_check_id FROM deliveries WHERE state = 'dead'`,
    )
    let revived = false
    for (const { id, background_check_id } of rows) {
      const lane = this.#lanes.find((each) => each.id === background_check_id)
      if (lane === undefined || lane.revived.has(id) || this.#random() > revivedPart) continue
      lane.revived.add(id)
      await this.#inSome(processes, (sql) => reviveDelivery(sql, this.#earth.ground.sealer, [], id))
      revived = true
    }
    return revived
  }

  #approve(): void {
    for (const { id } of this.#lanes) {
      if (this.#feishu.order(id).status === 'in_approval' && this.#random() < 0.3) this.#feishu.approve(id)
    }
  }

  #pause(): Promise<void> {
    return sleep(this.#random() * 60)
  }
}
