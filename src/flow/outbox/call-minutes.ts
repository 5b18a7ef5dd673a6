import type { Sql } from '../../platform/database/database.js'

/** A call that Feishu's windows count, whatever became of it. Its minute is kept for 35 days (room housekeeping). */
export interface CountedCall {
  appId: string
  tenantKey: string
  /** The method that was called: a probe asks another one than its delivery is for. */
  api: string
  /** Since its answer, or since it was given up. */
  msAgo: number
  /** It took effect, or told what was asked. */
  delivered: boolean
  /** Feishu asked to slow down. */
  limited: boolean
}

/**
 * Adds calls to their minutes, by PostgreSQL's clock. The last statement of a settlement: it holds rows that others want
 * who settle the same minute, and nothing is locked after them. Sorted, since two that write several rows would deadlock.
 */
export async function countCalls(sql: Sql, calls: readonly CountedCall[]): Promise<void> {
  if (calls.length === 0) return
  await sql.query({
    name: 'count-calls',
    text: `INSERT INTO call_minutes AS m (minute, app_id, tenant_key, api, calls, delivered, limited)
      SELECT date_trunc('minute', now() - c.ms_ago * interval '1 ms') AS minute, app_id, tenant_key, api,
        count(*), count(*) FILTER (WHERE c.delivered), count(*) FILTER (WHERE c.limited)
      FROM unnest($1::text[], $2::text[], $3::text[], $4::float8[], $5::bool[], $6::bool[])
        AS c (app_id, tenant_key, api, ms_ago, delivered, limited)
      GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
      ON CONFLICT (minute, app_id, tenant_key, api) DO UPDATE SET calls = m.calls + excluded.calls,
        delivered = m.delivered + excluded.delivered, limited = m.limited + excluded.limited`,
    values: [
      calls.map((each) => each.appId),
      calls.map((each) => each.tenantKey),
      calls.map((each) => each.api),
      calls.map((each) => each.msAgo),
      calls.map((each) => each.delivered),
      calls.map((each) => each.limited),
    ],
  })
}
