import type { Sql } from '../../platform/database/database.js'
import type { Logger } from '../../platform/logger.js'
import type { VendorCallReport } from './guarded.js'

/**
 * Shows a wrong configuration of the vendor's side among the holds, so that an operator sees why orders wait. The breaker
 * goes on trying, and the first call that is not refused so ends the hold.
 */
export function createVendorParking(sql: Sql, log: Logger): (call: VendorCallReport) => void {
  let parked: boolean | null = null
  let writing = Promise.resolve()
  const write = (work: () => Promise<unknown>) => {
    writing = writing.then(work).then(
      () => undefined,
      (failure: unknown) => log.warn({ event: 'vendor.hold_not_written', err: failure }, 'a hold could not be written'),
    )
  }
  return ({ answer }) => {
    if (answer.kind === 'misconfigured' && parked !== true) {
      parked = true
      write(() => park(sql, answer.message))
    }
    if (answer.kind === 'ok' && parked !== false) {
      parked = false
      write(() => unpark(sql))
    }
  }
}

const vendorApi = 'vendor'

async function park(sql: Sql, reason: string): Promise<void> {
  await sql.query(
    `INSERT INTO holds (scope, app_id, api, reason) VALUES ('vendor', '', $1, $2)
     ON CONFLICT (app_id, tenant_key, api) WHERE released_at IS NULL DO UPDATE SET reason = excluded.reason`,
    [vendorApi, reason],
  )
}

async function unpark(sql: Sql): Promise<void> {
  await sql.query(`UPDATE holds SET released_at = now() WHERE scope = 'vendor' AND released_at IS NULL`)
}
