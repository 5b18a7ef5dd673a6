import { setTimeout as sleep } from 'node:timers/promises'
import { marksOf } from '../../platform/crypto/key-marks.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database, Sql } from '../../platform/database/database.js'
import { admitKeys, strikeOff, unusedKeys } from './admit.js'
import { replaceBurntKeys } from './burnt-keys.js'
import { rehashContacts } from './contacts.js'
import { type Count, countSealed } from './count.js'
import { contactsName, nameOf, sealedPlaces } from './places.js'
import { type Running, runningProcesses } from './processes.js'
import { type Passed, type RotationKeys, resealPlace, type Walk } from './reseal.js'

/**
 * The room `rotation`: brings everything under the first of BGC_ENCRYPTION_KEYS, while the service runs.
 *
 * Called by `bgc keys`. It may be killed and run again at any moment, and two may run at once: each value is replaced
 * only where its bytes are still those that were opened, in short statements that wait for nobody. It walks everything
 * until a walk finds nothing, and says `done` only when a count agrees and nobody seals with another key any more.
 */
export interface RotationOptions {
  database: Database
  sealer: Sealer
  keys: ReadonlyArray<{ id: string }>
  /** Values in one statement. */
  batch?: number
  onProgress?: (done: number, of: number) => void
}

export type Rotation =
  /** Running processes do not have the first key: they could not open what it seals. Nothing was touched. */
  | { kind: 'refused'; lacking: Running[] }
  | {
      kind: 'done' | 'unfinished'
      rotated: Record<string, number>
      /** What lies under other keys all the same. */
      remaining: Count[]
      /** Running processes that seal with another key. */
      sealing: Running[]
      /** Ids that nothing lies under any more: they may leave BGC_ENCRYPTION_KEYS, from then on. */
      free: string[]
      freeFrom: Date | null
    }

const usualBatch = 500
/** Walks in a row that rotate nothing of what they find, `pauseMs` apart: somebody holds it for good. */
const mostFruitless = 20
const pauseMs = 250

export async function rotateKeys(options: RotationOptions): Promise<Rotation> {
  const { database, sealer, keys } = options
  const [first] = keys
  const [mark] = marksOf(sealer, keys)
  if (first === undefined || mark === undefined) throw new Error('BGC_ENCRYPTION_KEYS names no key to rotate to')
  const lacking = await lackingOf(database, mark)
  if (lacking.length > 0) return { kind: 'refused', lacking }
  await admitKeys(database, sealer, { unused: await unusedKeys(database) })
  const rotated = await walkUntilNothing(options, mark)
  return { ...(await finish(database, first.id, mark, keys)), rotated }
}

async function lackingOf({ pool }: Database, mark: string): Promise<Running[]> {
  return (await runningProcesses(pool)).filter(({ marks }) => !marks.includes(mark))
}

async function sealingOf({ pool }: Pick<Database, 'pool'>, mark: string): Promise<Running[]> {
  return (await runningProcesses(pool)).filter(({ marks }) => marks[0] !== mark)
}

async function walkUntilNothing(options: RotationOptions, mark: string): Promise<Record<string, number>> {
  const { database, keys, sealer, batch = usualBatch, onProgress = () => undefined } = options
  const rotated: Record<string, number> = {}
  const ids = keys.map(({ id }) => id)
  const of = (await countSealed(database)).reduce((sum, { keyId, values }) => sum + (keyId === ids[0] ? 0 : values), 0)
  let done = 0
  const onRotated = (values: number) => {
    done += values
    onProgress(done, Math.max(done, of))
  }
  for (let fruitless = 0; fruitless < mostFruitless; ) {
    const walked = await walkOnce(database, { sealer, ids }, { batch, onRotated }, rotated)
    if (walked.rotated === 0 && walked.missed === 0) break
    // Who writes under another key meanwhile would keep this going for ever.
    if ((await sealingOf(database, mark)).length > 0) break
    fruitless = walked.rotated === 0 ? fruitless + 1 : 0
    if (walked.missed > 0) await sleep(pauseMs)
  }
  return rotated
}

async function walkOnce(
  database: Database,
  keys: RotationKeys,
  walk: Walk,
  rotated: Record<string, number>,
): Promise<Omit<Passed, 'closed'>> {
  const all = { rotated: 0, missed: 0 }
  const add = (name: string, passed: Passed) => {
    if (passed.rotated > 0) rotated[name] = (rotated[name] ?? 0) + passed.rotated
    all.rotated += passed.rotated
    all.missed += passed.missed
  }
  for (const place of sealedPlaces) {
    // A data key that lay plain is not sealed, it is replaced.
    const isDataKey = place.table === 'orders'
    add(nameOf(place), await resealPlace(database.pool, keys, place, walk, !isDataKey))
    if (isDataKey) add(nameOf(place), await replaceBurntKeys(database, keys, walk))
  }
  add(contactsName, await rehashContacts(database, keys, walk))
  return all
}

/**
 * Nobody may have sealed anything with another key since the count began: who runs now is seen by its connections, and who
 * came and went meanwhile by the moment of its admission.
 */
async function finish(database: Database, first: string, mark: string, keys: RotationOptions['keys']) {
  const since = await database.pool.query<{ now: Date }>(`SELECT date_trunc('milliseconds', clock_timestamp()) AS now`)
  const before = await sealingOf(database, mark)
  const remaining = (await countSealed(database)).filter(({ keyId }) => keyId !== first)
  if (before.length > 0 || remaining.length > 0) return unfinished(remaining, before)
  return database.transaction(async (sql) => {
    await sql.query('LOCK TABLE encryption_keys IN EXCLUSIVE MODE')
    const sealing = await sealingOf({ pool: database.pool }, mark)
    if (sealing.length > 0) return unfinished([], sealing)
    const kept = await strikeOff(sql, first, since.rows[0]?.now ?? new Date(0))
    const free = keys.flatMap(({ id }) => (id === first || kept.includes(id) ? [] : [id]))
    const freeFrom = await repeatsEnd(sql)
    const kind = kept.length === 0 ? ('done' as const) : ('unfinished' as const)
    return { kind, remaining: [], sealing: [], free, freeFrom }
  })
}

/** A write that comes again within its day is known by a hash under the key of then, which nobody can make again. */
async function repeatsEnd(sql: Sql): Promise<Date | null> {
  const found = await sql.query<{ at: Date | null }>(
    `SELECT max(created_at) + interval '24 hours' AS at FROM idempotency_keys
     WHERE created_at > now() - interval '24 hours'`,
  )
  return found.rows[0]?.at ?? null
}

function unfinished(remaining: Count[], sealing: Running[]) {
  return { kind: 'unfinished' as const, remaining, sealing, free: [], freeFrom: null }
}
