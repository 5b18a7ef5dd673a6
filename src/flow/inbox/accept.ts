import { createHash } from 'node:crypto'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database } from '../../platform/database/database.js'
import type { Started } from '../../platform/lifetime.js'
import type { Acceptance, Inbox, ReceivedEvent } from '../map.js'

/**
 * The room `inbox`: keeps each event once, durably, before anybody acts on it.
 *
 * `accept` is called by from-feishu for an authentic event. Events that arrive together are committed together and
 * each call answers when its batch is durable. `unavailable` promises nothing: the event may have been committed.
 */
export interface AcceptOptions {
  database: Pick<Database, 'intake'>
  sealer: Sealer
  /** Called after a commit that brought something new. */
  onAccepted: () => void
  onBatch?: (size: number, elapsedMs: number) => void
}

interface Waiting {
  hash: Buffer
  event: ReceivedEvent
  /** It was answered already: Feishu sends it again. */
  late: boolean
  answer(acceptance: Acceptance): void
}

const largestBatch = 200
const batchesAtOnce = 2
const mostWaiting = 2000
/** Nobody waits longer than this in the queue and in PostgreSQL together, in ms. */
const answerWithinMs = 2200

export function createInbox(options: AcceptOptions): Inbox & Started {
  const queue: Waiting[] = []
  const running = new Set<Promise<void>>()
  const pump = () => {
    while (running.size < batchesAtOnce && queue.length > 0) {
      const batch = commit(
        queue.splice(0, largestBatch).filter((each) => !each.late),
        options,
      )
      running.add(batch)
      void batch.finally(() => {
        running.delete(batch)
        pump()
      })
    }
  }
  return {
    accept: (event) => {
      if (queue.length >= mostWaiting) return Promise.resolve('unavailable')
      return new Promise((resolve) => {
        const waiting: Waiting = {
          hash: hashOf(event.appId, event.eventId),
          event,
          late: false,
          answer: (acceptance) => {
            clearTimeout(timer)
            resolve(acceptance)
          },
        }
        const timer = setTimeout(() => {
          waiting.late = true
          resolve('unavailable')
        }, answerWithinMs)
        queue.push(waiting)
        // The event loop hands over what arrived together before the first batch leaves.
        if (queue.length === 1) setImmediate(pump)
      })
    },
    isKnown: (appId, eventId) => isKnown(options, appId, eventId),
    stop: async () => {
      while (running.size > 0) await Promise.all(running)
    },
  }
}

/** Sorted, since overlapping batches that lock keys in different orders deadlock. */
async function commit(batch: Waiting[], options: AcceptOptions): Promise<void> {
  if (batch.length === 0) return
  const started = performance.now()
  const sorted = batch.toSorted((one, other) => Buffer.compare(one.hash, other.hash))
  const firsts = sorted.filter((each, index) => index === 0 || sorted[index - 1]?.hash.equals(each.hash) === false)
  const fresh = await insertAll(firsts, options)
  if (fresh.size > 0) options.onAccepted()
  options.onBatch?.(batch.length, performance.now() - started)
  for (const each of sorted) {
    const key = each.hash.toString('hex')
    const outcome = fresh.get(key) ?? 'duplicate'
    each.answer(outcome)
    if (outcome === 'accepted') fresh.set(key, 'duplicate')
  }
}

/** What became of each hash; `duplicate` where none is named. */
async function insertAll(rows: Waiting[], options: AcceptOptions): Promise<Map<string, Acceptance>> {
  try {
    return await insert(rows, options)
  } catch (failure) {
    if (rows.length === 1 || !isOfRows(failure)) return outcomes(rows, 'unavailable')
    return insertOneByOne(rows, options)
  }
}

/** SQLSTATE classes that say something about values or about who else writes them, not about the database. */
function isOfRows(failure: unknown): boolean {
  return failure instanceof Error && 'code' in failure && /^(21|22|23|40|54)/.test(String(failure.code))
}

/** One row that PostgreSQL does not take must not cost its neighbours their answer. */
async function insertOneByOne(rows: Waiting[], options: AcceptOptions): Promise<Map<string, Acceptance>> {
  const all = new Map<string, Acceptance>()
  const until = performance.now() + answerWithinMs
  for (const row of rows) {
    const late = performance.now() > until
    const one = late ? outcomes([row], 'unavailable') : await insertAll([row], options)
    for (const [hash, outcome] of one) all.set(hash, outcome)
  }
  return all
}

const insertSql = `
  WITH fresh AS (
    INSERT INTO seen_events (hash) SELECT unnest($1::bytea[]) ON CONFLICT DO NOTHING RETURNING hash
  )
  INSERT INTO events (app_id, event_id, type, tenant_key, create_time, payload_sealed, trace_parent)
  SELECT e.app_id, e.event_id, e.type, e.tenant_key, e.create_time, e.payload, e.trace_parent
  FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::text[])
    AS e (hash, app_id, event_id, type, tenant_key, create_time, payload, trace_parent)
  JOIN fresh USING (hash)
  RETURNING app_id, event_id`

async function insert(rows: Waiting[], { database, sealer }: AcceptOptions): Promise<Map<string, Acceptance>> {
  const events = rows.map((row) => row.event)
  const result = await database.intake.query<{ app_id: string; event_id: string }>({
    name: 'accept-events',
    text: insertSql,
    values: [
      rows.map((row) => row.hash),
      events.map((event) => event.appId),
      events.map((event) => event.eventId),
      events.map((event) => event.type),
      events.map((event) => event.tenantKey),
      events.map((event) => event.createTime),
      events.map((event) => sealer.seal(event.payload, eventContext(event.appId, event.eventId))),
      events.map((event) => event.traceParent ?? null),
    ],
  })
  return new Map(result.rows.map((row) => [hashOf(row.app_id, row.event_id).toString('hex'), 'accepted']))
}

function outcomes(rows: Waiting[], outcome: Acceptance): Map<string, Acceptance> {
  return new Map(rows.map((row) => [row.hash.toString('hex'), outcome]))
}

async function isKnown({ database }: AcceptOptions, appId: string, eventId: string): Promise<boolean | 'unavailable'> {
  try {
    const found = await database.intake.query('SELECT 1 FROM seen_events WHERE hash = $1', [hashOf(appId, eventId)])
    return found.rowCount === 1
  } catch {
    return 'unavailable'
  }
}

export function eventContext(appId: string, eventId: string): string {
  return `event:${appId}:${eventId}`
}

/** Sixteen bytes of a SHA-256: narrow, and still no two events share one. */
function hashOf(appId: string, eventId: string): Buffer {
  return createHash('sha256').update(`${appId}\n${eventId}`).digest().subarray(0, 16)
}
