import type { Sql } from '../../platform/database/database.js'
import type { Logger } from '../../platform/logger.js'
import { type Loop, startLoop } from '../../platform/loop.js'
import type { Breaker, BreakerState } from './breaker.js'

/**
 * Shows among the holds that this process does not call the vendor, so that every process and every operator sees it.
 * A breaker belongs to one process and the hold to all: who is stopped says so again and again, and whoever goes on
 * releases it. One that nobody says of any more was of a process that died.
 */
export interface VendorWatch extends Loop {
  /** Something was called: the state may be another one. */
  look(): void
}

export interface VendorWatchOptions {
  sql: Sql
  log: Logger
  breaker: Breaker
  /** Calls the vendor soon: an operator released the hold. */
  probe: () => void
  onState?: (state: BreakerState) => void
  onFailure?: (name: string) => void
  everyMs?: number
}

const vendorApi = 'vendor'
const longestTickMs = 2000
const forgottenAfterMs = 60_000

export function startVendorWatch(options: VendorWatchOptions): VendorWatch {
  const { sql, log, breaker, onState, onFailure, everyMs = longestTickMs } = options
  let hold: string | null = null
  /** The opening whose hold an operator released: the next probe decides, and not this one again. */
  let pardoned = 0
  let seen: BreakerState = 'closed'
  const turn = async () => {
    const { state, openings, lastError = 'it failed too often' } = breaker.look()
    seen = state
    onState?.(state)
    if (state === 'closed') {
      pardoned = 0
      if (hold === null) await releaseForgotten(sql)
      else await release(sql, hold)
      hold = null
    } else if (hold === null) {
      if (openings !== pardoned) hold = await park(sql, vendorApi, lastError)
    } else if (!(await renew(sql, hold, lastError))) {
      log.info({ event: 'vendor.hold_released' }, 'the hold of the vendor was released: it is called again')
      hold = null
      pardoned = openings
      breaker.probeSoon()
      options.probe()
    }
    return everyMs
  }
  const loop = startLoop({ name: 'vendor-watch', everyMs, log, turn, ...(onFailure && { onFailure }) })
  return {
    wake: loop.wake,
    look: () => {
      if (breaker.look().state !== seen) loop.wake()
    },
    stop: async () => {
      await loop.stop()
      if (hold !== null) await release(sql, hold)
    },
  }
}

/** Shows that one of the vendor's feeds cannot be read. */
export function feedParking(sql: Sql, capability: 'changes' | 'tripartite') {
  const api = `${vendorApi}.${capability}`
  return {
    onBroken: async (reason: string) => {
      await park(sql, api, `the feed cannot be read: ${reason}`)
    },
    onFound: async () => {
      await sql.query(
        `UPDATE holds SET released_at = now() WHERE scope = 'vendor' AND api = $1 AND released_at IS NULL`,
        [api],
      )
    },
  }
}

async function park(sql: Sql, api: string, reason: string): Promise<string> {
  const { rows } = await sql.query<{ id: string }>(
    `INSERT INTO holds (scope, app_id, api, reason, seen_at) VALUES ('vendor', '', $1, $2, now())
     ON CONFLICT (app_id, tenant_key, api) WHERE released_at IS NULL
     DO UPDATE SET reason = excluded.reason, seen_at = now() RETURNING id`,
    [api, reason],
  )
  const [row] = rows
  if (row === undefined) throw new Error('a hold was neither made nor found')
  return row.id
}

/** False: somebody released it. */
async function renew(sql: Sql, id: string, reason: string): Promise<boolean> {
  const text = 'UPDATE holds SET seen_at = now(), reason = $2 WHERE id = $1 AND released_at IS NULL'
  return (await sql.query(text, [id, reason])).rowCount === 1
}

async function release(sql: Sql, id: string): Promise<void> {
  await sql.query('UPDATE holds SET released_at = now() WHERE id = $1 AND released_at IS NULL', [id])
}

async function releaseForgotten(sql: Sql): Promise<void> {
  await sql.query(
    `UPDATE holds SET released_at = now() WHERE scope = 'vendor' AND api = $1 AND released_at IS NULL
       AND coalesce(seen_at, created_at) < now() - $2 * interval '1 ms'`,
    [vendorApi, forgottenAfterMs],
  )
}
