/**
 * How a process ends: at once, or after a while in which nothing of it goes forward, as in a partition of the network.
 * It is killed at a step and begins to stand still at the first call from then on.
 */
export interface Ending {
  how: 'killed' | 'stalled'
  /** Counted over all its statements, scripts and calls, before and after each. */
  atStep: number
}

interface ClaimHeld {
  id: string
  fence: number
}

/** Never settles: what waits for it is where `kill -9` found it. */
const never = new Promise<never>(() => undefined)

/**
 * The life of one process of the service, which ends at a step that the test chose. From then on nothing of it goes
 * forward: no statement is sent, no answer is seen, no byte reaches Feishu. The service knows nothing of it.
 */
export class Mortal {
  /** Settles when the process is dead. */
  readonly ended: Promise<void>
  /** Settles when it stands still, if it ever does. */
  readonly stalled: Promise<void>
  /** Of its leases, as it wrote it. */
  owner: string | null = null
  readonly claims: ClaimHeld[] = []
  #dead = false
  #steps = 0
  #stallsAt: number
  #diesAt: number
  #thawed = Promise.resolve()
  #thaw: () => void = () => undefined
  #onEnded: () => void = () => undefined
  #onStalled: () => void = () => undefined
  readonly #underWay = new Set<Promise<unknown>>()

  constructor(ending: Ending | null) {
    const at = ending?.atStep ?? Number.POSITIVE_INFINITY
    this.#stallsAt = ending?.how === 'stalled' ? at : Number.POSITIVE_INFINITY
    this.#diesAt = ending?.how === 'killed' ? at : Number.POSITIVE_INFINITY
    this.ended = new Promise((resolve) => {
      this.#onEnded = resolve
    })
    this.stalled = new Promise((resolve) => {
      this.#onStalled = resolve
    })
  }

  get isDead(): boolean {
    return this.#dead
  }

  /** Counts a step; false when it is not made any more. */
  step(kind: 'call' | 'other' = 'other'): boolean {
    if (this.#dead) return false
    this.#steps += 1
    if (kind === 'call' && this.#steps >= this.#stallsAt) this.#stall()
    if (this.#steps >= this.#diesAt) this.kill()
    return !this.#dead
  }

  kill(): void {
    this.#dead = true
    this.#thaw()
    this.#onEnded()
  }

  /** What stood still goes on. */
  thaw(): void {
    this.#thaw()
  }

  #stall(): void {
    this.#stallsAt = Number.POSITIVE_INFINITY
    this.#thawed = new Promise((resolve) => {
      this.#thaw = resolve
    })
    this.#onStalled()
  }

  /** One step, once nothing stands still; false when it is not made any more. */
  async passes(): Promise<boolean> {
    const made = this.step()
    await this.#thawed
    return made && !this.#dead
  }

  /** Does what leaves the process: a step before and one after. A dead process neither does it nor hears of it. */
  async through<T>(work: () => Promise<T>): Promise<T> {
    if (!(await this.passes())) return never
    try {
      return await this.watch(work())
    } finally {
      if (!(await this.passes())) await never
    }
  }

  /** Remembers what PostgreSQL or Redis is doing for the process, whether it lives to see the end of it or not. */
  async watch<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work)
    try {
      return await work
    } finally {
      this.#underWay.delete(work)
    }
  }

  /** Settles when nothing that was sent before the end is under way any more. */
  async buried(): Promise<void> {
    await this.ended
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay)
  }
}
