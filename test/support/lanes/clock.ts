import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { Mortal } from './mortal.js'

const longestTakeOverMs = 100

/**
 * What the clock would do within seconds once a process is dead or stands still: its leases and its claims, and only
 * those, run out. Row by row, as a clock locks nothing: two rows that others lock in another order would be a deadlock.
 */
export async function takeWhatTheDeadHeld(pool: pg.Pool, life: Mortal): Promise<void> {
  const claims = await pool.query<{ id: string; fence: number }>(
    `SELECT d.id, d.fence FROM deliveries d JOIN unnest($1::bigint[], $2::int[]) AS c (id, fence)
     ON d.id = c.id AND d.fence = c.fence WHERE d.state = 'sending'`,
    [life.claims.map(({ id }) => id), life.claims.map(({ fence }) => fence)],
  )
  for (const { id, fence } of claims.rows) {
    await pool.query(`UPDATE deliveries SET due_at = now() WHERE id = $1 AND fence = $2 AND state = 'sending'`, [
      id,
      fence,
    ])
  }
  const leased = await pool.query<{ id: number }>('SELECT id FROM buckets WHERE lease_owner = $1', [life.owner])
  for (const { id } of leased.rows) {
    await pool.query('UPDATE buckets SET lease_until = now() WHERE id = $1 AND lease_owner = $2', [id, life.owner])
  }
  // The right to fetch a token names no owner; two who fetch at once are allowed.
  await pool.query('UPDATE feishu_tokens SET refreshing_until = now() WHERE refreshing_until IS NOT NULL')
}

/** Settles when somebody else is at work on what the process held, or it held nothing that anybody wants. */
export async function untilTakenOver(pool: pg.Pool, life: Mortal): Promise<void> {
  const late = performance.now() + longestTakeOverMs
  while (performance.now() < late) {
    const { rowCount } = await pool.query(
      `SELECT 1 FROM deliveries d JOIN unnest($1::bigint[], $2::int[]) AS c (id, fence) ON d.id = c.id
       WHERE d.fence > c.fence AND d.state = 'sending' LIMIT 1`,
      [life.claims.map(({ id }) => id), life.claims.map(({ fence }) => fence)],
    )
    if (rowCount === 1) return
    await sleep(1)
  }
}

/**
 * What the clock would do within minutes: whatever waits for its next attempt, for a look or for Feishu's leave is due.
 * Rows that somebody is at work on wait for the next time. Answers how many deliveries are not settled.
 */
export async function passTime(pool: pg.Pool, wake: (bucket: number) => void): Promise<number> {
  await pool.query(
    `UPDATE deliveries SET due_at = now() WHERE id IN (
       SELECT id FROM deliveries WHERE state = 'pending' AND due_at > now() FOR UPDATE SKIP LOCKED)`,
  )
  await pool.query(
    `UPDATE buckets SET not_before = NULL WHERE id IN (
       SELECT id FROM buckets WHERE not_before IS NOT NULL FOR UPDATE SKIP LOCKED)`,
  )
  const due = await pool.query<{ bucket_id: number }>(
    `SELECT DISTINCT bucket_id FROM deliveries WHERE state = 'pending' AND due_at <= now()
       OR state = 'sending' AND due_at <= now()`,
  )
  for (const { bucket_id } of due.rows) wake(bucket_id)
  const left = await pool.query<{ left: number }>(
    `SELECT count(*)::int AS left FROM deliveries WHERE state IN ('pending', 'sending')`,
  )
  return left.rows[0]?.left ?? 0
}
