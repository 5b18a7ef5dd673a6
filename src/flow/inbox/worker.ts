import { forEachAtOnce, groupBy } from '../../platform/at-once.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database, Sql } from '../../platform/database/database.js'
import { createFairClaim } from '../../platform/database/fair-claim.js'
import { isOfDatabase } from '../../platform/database/of-values.js'
import type { Logger } from '../../platform/logger.js'
import { type Loop, startLoop } from '../../platform/loop.js'
import { failSpan, inSpan, type Span } from '../../platform/tracing/spans.js'
import { isArchived } from '../archived.js'
import { eventContext } from './accept.js'
import { checkOf } from './check-of.js'
import { effects } from './effects.js'

export interface InboxWorkerOptions {
  database: Database
  sealer: Sealer
  log: Logger
  /** Called after effects that may have left work at the vendor. */
  onEffect: () => void
  onSettled?: (type: string, state: SettledState) => void
  onFailure?: (name: string) => void
}

export type SettledState = 'done' | 'ignored' | 'failed'

interface ClaimedEvent {
  id: string
  attempts: number
  tenant_key: string
  trace_parent: string | null
}

const batch = 50
const leaseMs = 30_000
const scanMs = 1000
/** A tenant's events go one after the other; an effect is a dozen statements that wait for PostgreSQL most of the time. */
const tenantsAtOnce = 4
const tenantOf = (event: ClaimedEvent) => event.tenant_key
/** An effect that fails for so many times is not passing: a person has to look. */
const mostAttempts = 10

const waiting = {
  table: 'events',
  set: 'attempts = claimed.attempts + 1',
  returning: 'claimed.id, claimed.attempts, claimed.tenant_key, claimed.trace_parent',
}

/**
 * Gives each committed event its effect once: the effect and the event's new state are one transaction, and its payload
 * is cleared in it. An event that fails never holds up another.
 */
export function startInboxWorker(options: InboxWorkerOptions): Loop {
  const claim = createFairClaim<ClaimedEvent>(waiting)
  return startLoop({
    name: 'inbox',
    everyMs: scanMs,
    log: options.log,
    ...(options.onFailure && { onFailure: options.onFailure }),
    turn: async (signal) => {
      const shares = { among: Math.ceil(batch / 4), alone: batch }
      const { rows: claimed } = await claim(options.database.pool, { most: batch, leaseMs, ...shares })
      await forEachAtOnce(groupBy(claimed, tenantOf), tenantsAtOnce, async (events) => {
        for (const event of events) {
          if (signal.aborted) await handBack(options.database, event)
          else await process(options, event)
        }
      })
      return claimed.length > 0 ? 0 : scanMs
    },
  })
}

async function handBack({ pool }: Database, { id }: ClaimedEvent): Promise<void> {
  await pool.query(`UPDATE events SET due_at = now(), attempts = attempts - 1 WHERE id = $1 AND state = 'new'`, [id])
}

async function process(options: InboxWorkerOptions, event: ClaimedEvent): Promise<void> {
  const attributes = { 'bgc.id': event.id, 'bgc.attempts': event.attempts }
  const facts = { kind: 'consumer', parent: event.trace_parent, attributes } as const
  await inSpan('take effect', facts, (span) => processTraced(options, event, span))
  // At once: what it left to do does not wait for the rest of the batch.
  options.onEffect()
}

async function processTraced(options: InboxWorkerOptions, event: ClaimedEvent, span: Span): Promise<void> {
  try {
    await options.database.transaction((sql) => takeEffect(options, sql, event.id))
  } catch (failure) {
    failSpan(span, failure instanceof Error ? failure.name : typeof failure)
    options.onFailure?.('inbox-effect')
    options.log.error(
      { event: 'inbox.effect_failed', id: event.id, attempts: event.attempts, err: failure },
      'an effect failed',
    )
    await putOff(options, event, failure)
  }
}

/** Only what an event's values or our own code do wrong makes it fail; what was acknowledged outlives any trouble of the database. */
async function putOff(
  { database, sealer }: InboxWorkerOptions,
  { id, attempts }: ClaimedEvent,
  failure: unknown,
): Promise<void> {
  if (attempts >= mostAttempts && !isOfDatabase(failure)) {
    const problem = `the effect failed ${attempts} times; the log tells why`
    return database.transaction(async (sql) => {
      const row = await lockNew(sql, id)
      if (row !== undefined) await keep(sql, sealer, id, row, 'failed', problem)
    })
  }
  await database.pool.query(`UPDATE events SET due_at = now() + $2 * interval '1 ms' WHERE id = $1 AND state = 'new'`, [
    id,
    Math.min(60_000, 100 * 2 ** Math.min(attempts, 16)),
  ])
}

interface EventRow {
  app_id: string
  event_id: string
  type: string
  tenant_key: string
  create_time: string
  payload_sealed: Buffer
}

async function lockNew(sql: Sql, id: string): Promise<EventRow | undefined> {
  const found = await sql.query<EventRow>({
    name: 'lock-event',
    text: `SELECT app_id, event_id, type, tenant_key, create_time, payload_sealed FROM events
     WHERE id = $1 AND state = 'new' AND payload_sealed IS NOT NULL FOR UPDATE`,
    values: [id],
  })
  return found.rows[0]
}

async function takeEffect(options: InboxWorkerOptions, sql: Sql, id: string): Promise<void> {
  const row = await lockNew(sql, id)
  if (row === undefined) return
  const effect = Object.hasOwn(effects, row.type) ? effects[row.type] : undefined
  const outcome =
    effect === undefined
      ? { kind: 'ignored' as const }
      : await effect(sql, options.sealer, keptEvent(options.sealer, row))
  const state = outcome.kind === 'refused' ? 'failed' : outcome.kind
  if (state === 'done') await settleDone(sql, id)
  else await keep(sql, options.sealer, id, row, state, outcome.kind === 'refused' ? outcome.problem : null)
  options.onSettled?.(effect === undefined ? 'other' : row.type, state)
  const line = {
    event: 'inbox.settled',
    id,
    event_id: row.event_id,
    type: row.type,
    app_id: row.app_id,
    tenant_key: row.tenant_key,
    state,
  }
  options.log.info(line, 'an event was settled')
}

function keptEvent(sealer: Sealer, row: EventRow) {
  const payload = sealer.open(row.payload_sealed, eventContext(row.app_id, row.event_id))
  return { appId: row.app_id, tenantKey: row.tenant_key, createTime: row.create_time, payload }
}

async function settleDone(sql: Sql, id: string): Promise<void> {
  await sql.query({
    name: 'settle-event',
    text: `UPDATE events SET state = 'done', error = NULL, due_at = NULL, settled_at = now(), payload_sealed = NULL,
       background_check_id = NULL
     WHERE id = $1 AND state = 'new'`,
    values: [id],
  })
}

/**
 * Payloads are kept only while somebody may still need them: ignored and failed ones for 30 days, and those of a check
 * that was erased not at all. The order is locked, so that an erasure that is under way is seen, or sees this event.
 */
async function keep(
  sql: Sql,
  sealer: Sealer,
  id: string,
  row: EventRow,
  state: 'ignored' | 'failed',
  problem: string | null,
): Promise<void> {
  const check = checkOf(sealer, row)
  const order = await sql.query<{ erased: boolean }>(
    'SELECT erased_at IS NOT NULL AS erased FROM orders WHERE background_check_id = $1 FOR SHARE',
    [check],
  )
  const erased = order.rows[0]?.erased ?? (check !== null && (await isArchived(sql, check)))
  await sql.query(
    `UPDATE events SET state = $2, error = $3, due_at = NULL, settled_at = now(), background_check_id = $4,
       payload_sealed = CASE WHEN $5 THEN NULL ELSE payload_sealed END
     WHERE id = $1 AND state = 'new'`,
    [id, state, problem, check, erased],
  )
}
