import { setTimeout as sleep } from 'node:timers/promises'
import type { Database, Sql } from '../../../src/platform/database/database.js'
import { takeWhatTheDeadHeld, untilTakenOver } from './clock.js'
import { type Instance, type Surroundings, startInstance } from './instance.js'
import type { Ending } from './mortal.js'

interface ProcessesOptions {
  around: Surroundings
  /** One for each process that runs at once, and for those that follow it. */
  databases: readonly Database[]
  endings: readonly Ending[]
  seed: number
  random: () => number
  /** What goes with a machine that dies. */
  onDeath: () => Promise<void>
  onFailure: (failure: unknown) => void
}

/** A process that stood still goes on for so long: enough for what it was about to write down. */
const afterStallMs = 100

/** The processes of a world, two or more at once; each that ends is followed by another, until none has to end. */
export class Processes {
  /** When what a process had sent before its end was with Feishu, and others took over; ms since 1970. */
  readonly crashedAt: number[] = []
  readonly #options: ProcessesOptions
  readonly #endings: Ending[]
  readonly #slots: Array<Instance | null> = []
  readonly #tenures: Promise<void>[]
  #standingStill = 0
  #isOver = false

  constructor(options: ProcessesOptions) {
    this.#options = options
    this.#endings = [...options.endings]
    this.#tenures = options.databases.map((database, slot) => this.#occupy(slot, database).catch(options.onFailure))
  }

  get someStandStill(): boolean {
    return this.#standingStill > 0
  }

  wake(bucket: number): void {
    for (const wake of this.#options.around.listeners.values()) wake(bucket)
  }

  /** A transaction in one of them; `ended` when it died with it, and nobody knows what became of it. */
  async transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T | 'ended'> {
    const alive = this.#slots.filter((instance) => instance !== null && !instance.life.isDead)
    const chosen = alive[Math.floor(this.#options.random() * alive.length)]
    if (!chosen) return 'ended'
    const done = await chosen.transaction(work)
    if (done === 'ended') await chosen.life.buried()
    return done
  }

  async stop(): Promise<void> {
    this.#isOver = true
    for (const instance of this.#slots) await instance?.stop()
    for (const instance of this.#slots) instance?.life.kill()
    await Promise.all(this.#tenures)
  }

  /** One process after the other in one place. */
  async #occupy(slot: number, database: Database): Promise<void> {
    const { around, seed, onDeath } = this.#options
    while (!this.#isOver) {
      const ending = this.#endings.shift() ?? null
      const instance = await startInstance(around, database, ending, seed + this.#endings.length)
      this.#slots[slot] = instance
      const { life } = instance
      if (this.#isOver) life.kill()
      await Promise.race([life.ended, life.stalled])
      if (!life.isDead) await this.#standStill(instance)
      this.#slots[slot] = null
      around.listeners.delete(life)
      await Promise.all([instance.door.quiet(), life.buried()])
      if (this.#isOver) return
      this.#noteCrash()
      await takeWhatTheDeadHeld(around.ground.database.pool, life)
      await onDeath()
    }
  }

  /** Others take over what it holds while it stands still; what it was about to write down comes in the middle of that. */
  async #standStill({ life, door }: Instance): Promise<void> {
    const { pool } = this.#options.around.ground.database
    await door.quiet()
    this.#noteCrash()
    this.#standingStill += 1
    const taken = takeWhatTheDeadHeld(pool, life)
    await untilTakenOver(pool, life)
    life.thaw()
    await taken
    await sleep(afterStallMs)
    this.#standingStill -= 1
    life.kill()
  }

  #noteCrash(): void {
    this.crashedAt.push(performance.timeOrigin + performance.now())
  }
}
