import fc from 'fast-check'
import { isFresh, type KnownUse, type Limiter, type Slot, type Terms } from '../../src/platform/limiter/limiter.js'
import type { Store } from './limiter.js'

/** What happens to one call, in ms. */
export interface CallFate {
  /** From the grant to the write: a busy process; too late for a slot when over 250. */
  writeAfter: number
  latency: number
  /** Where between the write and the answer it arrives at the door, 0 to 1. */
  arrival: number
  /** False: it is never answered and never given back. */
  answered: boolean
  /** From the answer to `giveBack`. */
  reportAfter: number
}

export interface Story {
  fates: CallFate[]
  /** How far the clock of each process is off. */
  skews: number[]
  batch: number
  /** Moments from the start at which the store loses everything. */
  losses: number[]
  /** Moments at which Feishu closes the bucket for 300 ms. */
  closures: number[]
}

const fates = fc.record<CallFate>({
  writeAfter: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(300) }),
  latency: fc.oneof(fc.nat(40), fc.nat(3000)),
  arrival: fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true })),
  answered: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  reportAfter: fc.oneof(fc.constant(0), fc.nat(100)),
})

export function stories(most: number): fc.Arbitrary<Story> {
  const none = fc.constant<number[]>([])
  const moments = fc.oneof(none, fc.array(fc.nat(4000), { maxLength: 2 }))
  return fc.record({
    fates: fc.array(fates, { minLength: 5, maxLength: most }),
    skews: fc.array(fc.integer({ min: -5000, max: 5000 }), { minLength: 1, maxLength: 3 }),
    batch: fc.integer({ min: 1, max: 9 }),
    losses: moments,
    closures: moments,
  })
}

export const someWindows = fc
  .record({ limit: fc.integer({ min: 1, max: 6 }), windowMs: fc.integer({ min: 20, max: 400 }) })
  .chain((short) =>
    fc.constantFrom([short], [short, { limit: short.limit * 2, windowMs: 1500 }], [{ limit: 9, windowMs: 900 }, short]),
  )

interface Row {
  claimedAt: number
  answeredAt?: number
}

/** Lets processes send every call of the story through the limiter and tells when each arrived at the door. */
export async function run(store: Store, windows: Terms['windows'], story: Story): Promise<number[]> {
  const bucket = `b${Math.random()}`
  const start = store.clock.now
  const arrivals: number[] = []
  const rows = new Map<string, Row>()
  const waiting = story.fates.map((fate, index) => ({ fate, delivery: index, attempt: 0 }))
  const events: { at: number; do: () => Promise<void> }[] = []
  let epoch = 0
  const terms = () => ({ windows, epoch: String(epoch), timeoutMs: 3000 })
  const later = (ms: number, work: () => Promise<void>) => {
    events.push({ at: store.clock.now + ms, do: work })
  }

  function knownUses(): KnownUse[] {
    const now = store.clock.now
    return [...rows].map(([name, row]) =>
      row.answeredAt === undefined
        ? { name, arrivesWithinMs: Math.max(0, row.claimedAt + 3000 + 300 - now) }
        : { name, answeredMsAgo: now - row.answeredAt },
    )
  }

  function send(limiter: Limiter, skew: number, slot: Slot, call: (typeof waiting)[number]): Promise<void> {
    if (!isFresh(slot, store.clock.now + skew)) {
      rows.delete(slot.name)
      waiting.push({ ...call, attempt: call.attempt + 1, fate: { ...call.fate, writeAfter: 0 } })
      return limiter.giveBack([{ slot, used: false }])
    }
    const { latency, arrival, answered, reportAfter } = call.fate
    arrivals.push(store.clock.now + latency * arrival)
    if (!answered) return Promise.resolve()
    later(latency, async () => {
      const answeredAt = store.clock.now
      rows.set(slot.name, { claimedAt: start, answeredAt })
      later(reportAfter, () => limiter.giveBack([{ slot, used: true, answeredMsAgo: store.clock.now - answeredAt }]))
    })
    return Promise.resolve()
  }

  async function pump(limiter: Limiter, skew: number): Promise<void> {
    const claimed = waiting.splice(0, story.batch)
    if (claimed.length === 0) return later(50, () => pump(limiter, skew))
    const named = claimed.map((call) => ({ call, name: `${call.delivery}.${call.attempt}` }))
    const grant = await limiter.take(
      bucket,
      named.map(({ name }) => name),
      terms(),
    )
    const slots = grant.kind === 'granted' ? grant.slots : []
    waiting.unshift(...claimed.slice(slots.length))
    for (const [index, slot] of slots.entries()) {
      const call = claimed[index]
      if (call === undefined || slot.name !== named[index]?.name) throw new Error('slots are not for the first names')
      rows.set(slot.name, { claimedAt: store.clock.now })
      later(call.fate.writeAfter, () => send(limiter, skew, slot, call))
    }
    if (grant.kind === 'lost') {
      epoch += 1
      await limiter.rebuild(bucket, grant, knownUses(), terms())
    }
    later(grant.kind === 'lost' ? 0 : (grant.retryInMs ?? 0), () => pump(limiter, skew))
  }

  for (const skew of story.skews) await pump(store.process(skew), skew)
  for (const at of story.losses) later(at, () => store.lose())
  for (const at of story.closures) later(at, () => store.process().close(bucket, 300))
  while (arrivals.length < story.fates.length) {
    events.sort((a, b) => a.at - b.at)
    const event = events.shift()
    if (event === undefined || event.at > start + 3_600_000) throw new Error('the calls came to a stop')
    store.clock.now = event.at
    await event.do()
  }
  return arrivals
}
