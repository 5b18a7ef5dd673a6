import type { Database } from '../platform/database/database.js'

/**
 * Ends the claims of deliveries, tasks, polls, buckets and sweeps at once. Only for the one process that there may be,
 * right after it has become that one: whatever is claimed then belonged to a process that is gone. The claims count as
 * what they are, calls whose outcome is not known.
 */
export async function endForeignClaims(database: Database): Promise<void> {
  await database.transaction(async (sql) => {
    await sql.query('UPDATE buckets SET lease_owner = NULL, lease_until = NULL WHERE lease_owner IS NOT NULL')
    await sql.query(`UPDATE deliveries SET due_at = now() WHERE due_at > now() AND state = 'sending'`)
    await sql.query('UPDATE vendor_tasks SET due_at = now() WHERE claimed AND due_at > now()')
    await sql.query('UPDATE poll_schedule SET due_at = now() WHERE claimed AND due_at > now()')
    await sql.query('UPDATE sweeps SET lease_until = NULL, due_at = now() WHERE lease_until IS NOT NULL')
  })
}
