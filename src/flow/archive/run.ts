import type { Database, Sql } from '../../platform/database/database.js'
import { dropSettledEvents } from './events.js'
import { countReady, type Moved, moveOrders } from './move.js'

/**
 * The room `archive`: orders that are over and erased leave the tables of what lives, and stay to be read. Run by hand or by
 * the clock of the machine (docs/archive.md), several at once share the work.
 *
 * A batch is one transaction with its count in the audit: killed at any moment, what was committed is whole, and the next
 * run goes on from there.
 */
export interface ArchiveOptions {
  database: Database
  /** The user of the command line. */
  actor: string
  /** Orders that did not change for so long. Their erasure was a change. */
  days: number
  /** Most orders of one transaction. */
  batch: number
  /** Most orders of the run. */
  limit: number
  /** Counts, and moves nothing. */
  dryRun: boolean
  onProgress?: (looked: number, of: number) => void
}

export interface Archived extends Moved {
  /** Settled events without contents that went, since they are as old. */
  events: number
}

interface Place {
  updatedAt: string
  id: string
}

interface Run extends Archived {
  /** The run's line in the audit, once it did something. */
  entry: string | null
}

export async function archiveOrders(options: ArchiveOptions): Promise<Archived> {
  const { database, days, limit, onProgress } = options
  const before = await momentBefore(database.pool, days)
  const of = Math.min(limit, await countDue(database.pool, before))
  const run: Run = { moved: 0, waiting: 0, busy: 0, events: 0, entry: null }
  let place: Place | null = { updatedAt: '-infinity', id: '' }
  while (place !== null && run.moved < limit) {
    const size = Math.min(options.batch, limit - run.moved)
    const due: Due = await findDue(database.pool, before, place, size)
    if (due.ids.length > 0) await doBatch(options, run, due.ids, before)
    place = due.next
    const looked = run.moved + run.waiting + run.busy
    onProgress?.(looked, Math.max(looked, of))
  }
  if (!options.dryRun) await dropEvents(options, run, before)
  const { entry: _, ...archived } = run
  return archived
}

/** By the clock of the database, as everything that is compared with its rows. */
async function momentBefore(sql: Sql, days: number): Promise<Date> {
  const found = await sql.query<{ before: Date }>(`SELECT now() - $1 * interval '24 hours' AS before`, [days])
  const before = found.rows[0]?.before
  if (before === undefined) throw new Error('PostgreSQL does not tell its time')
  return before
}

/** More are not counted: the first run after years would begin with minutes of that. */
const mostCounted = 100_000

async function countDue(sql: Sql, before: Date): Promise<number> {
  const found = await sql.query<{ n: string }>(
    `SELECT count(*) AS n FROM (
       SELECT 1 FROM orders WHERE erased_at IS NOT NULL AND updated_at < $1 ORDER BY updated_at LIMIT ${mostCounted}) due`,
    [before],
  )
  return Number(found.rows[0]?.n ?? 0)
}

interface Due {
  ids: string[]
  next: Place | null
}

/** The oldest first, behind those that were looked at: what cannot be moved does not hold up the rest. */
async function findDue(sql: Sql, before: Date, after: Place, most: number): Promise<Due> {
  const found = await sql.query<{ id: string; at: string }>(
    `SELECT background_check_id AS id, updated_at::text AS at FROM orders
     WHERE erased_at IS NOT NULL AND updated_at < $1 AND (updated_at, background_check_id) > ($2::timestamptz, $3)
     ORDER BY updated_at, background_check_id LIMIT $4`,
    [before, after.updatedAt, after.id, most],
  )
  const last = found.rows.at(-1)
  return {
    ids: found.rows.map((row) => row.id),
    next: last === undefined || found.rows.length < most ? null : { updatedAt: last.at, id: last.id },
  }
}

async function doBatch(options: ArchiveOptions, run: Run, ids: readonly string[], before: Date): Promise<void> {
  const { database, dryRun } = options
  if (dryRun) {
    const ready = await countReady(database.pool, ids)
    run.moved += ready
    run.waiting += ids.length - ready
    return
  }
  await commit(options, run, async (sql) => ({ ...(await moveOrders(sql, ids, before)), events: 0 }))
}

/** An event is one narrow row, an order is twenty. */
const eventsForAnOrder = 10

async function dropEvents(options: ArchiveOptions, run: Run, before: Date): Promise<void> {
  let after: string | null = '0'
  while (after !== null) {
    const behind: string = after
    await commit(options, run, async (sql) => {
      const { events, next } = await dropSettledEvents(sql, before, behind, eventsForAnOrder * options.batch)
      after = next
      return { moved: 0, waiting: 0, busy: 0, events }
    })
  }
}

/** What was done counts once it is committed, as its line in the audit does. */
async function commit({ database, actor, days }: ArchiveOptions, run: Run, work: (sql: Sql) => Promise<Archived>) {
  const next = await database.transaction(async (sql) => {
    const done = await work(sql)
    const all: Run = {
      moved: run.moved + done.moved,
      waiting: run.waiting + done.waiting,
      busy: run.busy + done.busy,
      events: run.events + done.events,
      entry: run.entry,
    }
    if (done.moved + done.events === 0) return all
    const after = { before_days: days, orders: all.moved, events: all.events }
    return { ...all, entry: await tell(sql, run.entry, actor, after) }
  })
  Object.assign(run, next)
}

/** One line for a run, that counts up with what was committed. */
async function tell(sql: Sql, entry: string | null, actor: string, after: object): Promise<string | null> {
  if (entry !== null) {
    await sql.query('UPDATE audit SET after = $2 WHERE id = $1', [entry, after])
    return entry
  }
  const told = await sql.query<{ id: string }>(
    `INSERT INTO audit (actor, via, action, subject, outcome, after) VALUES ($1, 'cli', 'archive.run', 'archive', 'done', $2)
     RETURNING id`,
    [actor, after],
  )
  return told.rows[0]?.id ?? null
}
