import { hash } from 'node:crypto'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database } from '../../platform/database/database.js'
import { isOfValues, sqlStateOf } from '../../platform/database/of-values.js'
import type { Started } from '../../platform/lifetime.js'
import type { Acceptance, Inbox, ReceivedEvent } from '../map.js'
import { atMostEvery } from './at-most-every.js'
import type { Unavailable } from './unavailable-warning.js'

/**
 * The room `inbox`: keeps each event once, durably, before anybody acts on it.
 *
 * `accept` is called by from-feishu for an authentic event. Events that arrive together are committed together and
 * each call answers when its batch is durable. `unavailable` promises nothing: the event may have been committed.
 */
export interface AcceptOptions {
  database: Pick<Database, 'intake'>
  sealer: Sealer
  /** Called after a commit that brought something new; once for all commits of a few milliseconds. */
  onAccepted: () => void
  onBatch?: (size: number, elapsedMs: number) => void
  /** Why an answer is `unavailable`, at each one. */
  onUnavailable?: (why: Unavailable) => void
  /** Nobody waits longer than this in the queue and in PostgreSQL together, in ms: 2200 if not given. */
  answerWithinMs?: number
}

type Committing = AcceptOptions & { answerWithinMs: number }

interface Waiting {
  key: string
  event: ReceivedEvent
  /** It was answered already: Feishu sends it again. */
  late: boolean
  answer(acceptance: Acceptance): void
}

const largestBatch = 200
const batchesAtOnce = 2
const mostWaiting = 2000
const usualAnswerMs = 2200
/** Who is told of new events looks for all there are: in a burst there are hundreds of commits in a second. */
const tellEveryMs = 20

export function createInbox(given: AcceptOptions): Inbox & Started {
  const options = { answerWithinMs: usualAnswerMs, ...given }
  const queue: Waiting[] = []
  const running = new Set<Promise<void>>()
  const news = atMostEvery(tellEveryMs, options.onAccepted)
  const pump = () => {
    while (running.size < batchesAtOnce && queue.length > 0) {
      const batch = commit(
        queue.splice(0, largestBatch).filter((each) => !each.late),
        options,
        () => news.tell(),
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
      if (queue.length >= mostWaiting) {
        options.onUnavailable?.({ reason: 'full' })
        return Promise.resolve('unavailable')
      }
      return new Promise((resolve) => {
        const waiting: Waiting = {
          key: keyOf(event.appId, event.eventId),
          event,
          late: false,
          answer: (acceptance) => {
            clearTimeout(timer)
            resolve(acceptance)
          },
        }
        const timer = setTimeout(() => {
          waiting.late = true
          options.onUnavailable?.({ reason: 'late' })
          resolve('unavailable')
        }, options.answerWithinMs)
        queue.push(waiting)
        // The event loop hands over what arrived together before the first batch leaves.
        if (queue.length === 1) setImmediate(pump)
      })
    },
    isKnown: (appId, eventId) => isKnown(options, appId, eventId),
    stop: async () => {
      while (running.size > 0) await Promise.all(running)
      await news.stop()
    },
  }
}

/** Sorted, since overlapping batches that lock keys in different orders deadlock. */
async function commit(batch: Waiting[], options: Committing, tell: () => void): Promise<void> {
  if (batch.length === 0) return
  const started = performance.now()
  const sorted = batch.toSorted((one, other) => (one.key < other.key ? -1 : Number(one.key > other.key)))
  const firsts = sorted.filter((each, index) => sorted[index - 1]?.key !== each.key)
  const outcomes = await insertAll(firsts, options)
  if (outcomes.size > 0) tell()
  options.onBatch?.(batch.length, performance.now() - started)
  for (const each of sorted) {
    const outcome = outcomes.get(each.key) ?? 'duplicate'
    each.answer(outcome)
    if (outcome === 'accepted') outcomes.set(each.key, 'duplicate')
  }
}

/** What became of each key; `duplicate` where none is named. */
async function insertAll(rows: Waiting[], options: Committing): Promise<Map<string, Acceptance>> {
  try {
    return await insert(rows, options)
  } catch (failure) {
    if (rows.length > 1 && isOfRows(failure)) return insertOneByOne(rows, options)
    options.onUnavailable?.({ reason: 'failed', failure })
    return all(rows, 'unavailable')
  }
}

/**
 * Whether the rows may go one by one where they did not together: values that PostgreSQL does not take are those of one row,
 * and a row alone holds nothing that another batch could deadlock with (class 40). Feishu would send all of them again in
 * 15 s at the earliest.
 */
function isOfRows(failure: unknown): boolean {
  return isOfValues(failure) || (sqlStateOf(failure)?.startsWith('40') ?? false)
}

/** One row that PostgreSQL does not take must not cost its neighbours their answer. */
async function insertOneByOne(rows: Waiting[], options: Committing): Promise<Map<string, Acceptance>> {
  const each = new Map<string, Acceptance>()
  const until = performance.now() + options.answerWithinMs
  for (const row of rows) {
    const late = performance.now() > until
    if (late) options.onUnavailable?.({ reason: 'late' })
    const one = late ? all([row], 'unavailable') : await insertAll([row], options)
    for (const [key, outcome] of one) each.set(key, outcome)
  }
  return each
}

/** Payloads come one after the other in a single value: as an array they would be written and read as hexadecimal digits. */
const insertSql = `
  WITH fresh AS (
    INSERT INTO seen_events (hash) SELECT unnest($1::bytea[]) ON CONFLICT DO NOTHING RETURNING hash
  ), kept AS (
    INSERT INTO events (app_id, event_id, type, tenant_key, create_time, payload_sealed, trace_parent)
    SELECT e.app_id, e.event_id, e.type, e.tenant_key, e.create_time, substring($7::bytea FROM e.first FOR e.size), e.trace_parent
    FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $8::int[], $9::int[], $10::text[])
      AS e (hash, app_id, event_id, type, tenant_key, create_time, first, size, trace_parent)
    JOIN fresh USING (hash)
  )
  SELECT encode(hash, 'hex') AS key FROM fresh`

async function insert(rows: Waiting[], { database, sealer }: AcceptOptions): Promise<Map<string, Acceptance>> {
  const events = rows.map((row) => row.event)
  const payloads = events.map((event) => sealer.seal(event.payload, eventContext(event.appId, event.eventId)))
  const result = await database.intake.query<{ key: string }>({
    name: 'accept-events',
    text: insertSql,
    values: [
      rows.map((row) => `\\x${row.key}`),
      events.map((event) => event.appId),
      events.map((event) => event.eventId),
      events.map((event) => event.type),
      events.map((event) => event.tenantKey),
      events.map((event) => event.createTime),
      Buffer.concat(payloads),
      firstsOf(payloads),
      payloads.map((payload) => payload.length),
      events.map((event) => event.traceParent ?? null),
    ],
  })
  return new Map(result.rows.map(({ key }) => [key, 'accepted']))
}

/** Where each begins, counted as SQL does. */
function firstsOf(parts: readonly Buffer[]): number[] {
  let next = 1
  return parts.map((part) => {
    const first = next
    next += part.length
    return first
  })
}

function all(rows: Waiting[], outcome: Acceptance): Map<string, Acceptance> {
  return new Map(rows.map((row) => [row.key, outcome]))
}

async function isKnown(
  { database, onUnavailable }: AcceptOptions,
  appId: string,
  eventId: string,
): Promise<boolean | 'unavailable'> {
  try {
    const found = await database.intake.query('SELECT 1 FROM seen_events WHERE hash = $1', [
      Buffer.from(keyOf(appId, eventId), 'hex'),
    ])
    return found.rowCount === 1
  } catch (failure) {
    onUnavailable?.({ reason: 'failed', failure })
    return 'unavailable'
  }
}

export function eventContext(appId: string, eventId: string): string {
  return `event:${appId}:${eventId}`
}

/** Sixteen bytes of a SHA-256, in hexadecimal digits: narrow, and still no two events share one. */
function keyOf(appId: string, eventId: string): string {
  return hash('sha256', `${appId}\n${eventId}`, 'hex').slice(0, 32)
}
