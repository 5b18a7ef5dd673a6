import type { Sql } from '../../platform/database/database.js'
import { stateOf } from './state-of.js'

export type { Bucket } from './buckets.js'

/** A head that this process may send until the claim is over. */
export interface Claim {
  id: string
  fence: number
  lane: string
  api: string
  backgroundCheckId: string | null
  stageId: string | null
  attempts: number
  /** An earlier attempt may have taken effect. */
  ambiguous: boolean
  /** How many tokens in a row Feishu refused for this delivery. */
  tokensRefused: number
  /** How often Feishu was asked whether the last ambiguous attempt took effect. */
  looks: number
  /** Looks in a row that got no answer. */
  unanswered: number
  /** A probe has shown that what is to be created is not there. */
  probed: boolean
  /** This lane already delivered a result: a refusal or read may be about that one. */
  again: boolean
  /** Since the first attempt, without the time that it waited for limits, holds and outages of our own. */
  ageMs: number
  othersWait: boolean
  orderState: string | null
  dataKey: Buffer | null
  bodySealed: Buffer | null
  /** Of its order. */
  traceParent?: string | null
  /** `performance.now()` before the claim's query: the lease is counted from here, however slow the reply. */
  claimedAt: number
}

interface ClaimRow {
  id: string
  fence: number
  lane: string
  api: string
  background_check_id: string | null
  stage_id: string | null
  attempts: number
  ambiguous: boolean
  tokens_refused: number | null
  looks: number | null
  unanswered: number | null
  probed: boolean | null
  again: boolean
  age_ms: number
  others_wait: boolean
  order_state: string | null
  data_key: Buffer | null
  body_sealed: Buffer | null
  trace_parent: string | null
}

/**
 * Claims heads that are due, the longest waiting first. A claim that nobody settled belonged to a process that died or
 * stood still: its call may have taken effect, and counts as an attempt, in Feishu's windows and in the calls per minute
 * as well.
 */
const claimSql = `
  WITH picked AS (
    SELECT id, state, due_at FROM deliveries WHERE bucket_id = $1 AND due_at <= now()
    ORDER BY due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED
  ), claimed AS (
    UPDATE deliveries d SET state = 'sending', fence = d.fence + 1, due_at = now() + $3 * interval '1 ms',
      ambiguous = d.ambiguous OR p.state = 'sending',
      attempts = d.attempts + CASE WHEN p.state = 'sending' THEN 1 ELSE 0 END,
      first_attempt_at = CASE WHEN p.state = 'sending' THEN coalesce(d.first_attempt_at, now()) ELSE d.first_attempt_at END,
      recent_calls = CASE WHEN p.state <> 'sending' THEN d.recent_calls
        WHEN d.last_call_at > now() - interval '61 s' THEN d.recent_calls + 1 ELSE 1 END,
      last_call_at = CASE WHEN p.state = 'sending' THEN now() ELSE d.last_call_at END,
      waited_ms = d.waited_ms + CASE WHEN d.first_attempt_at IS NULL THEN 0
        ELSE extract(epoch FROM now() - p.due_at)::float8 * 1000 END
    FROM picked p WHERE d.id = p.id
    RETURNING d.id, d.seq, d.fence, d.lane, d.api, d.background_check_id, d.stage_id, d.attempts, d.ambiguous, d.last_error,
      d.first_attempt_at, d.waited_ms, d.body_sealed, p.state = 'sending' AS abandoned
  ), counted AS (
    INSERT INTO call_minutes AS m (minute, app_id, tenant_key, api, calls)
    SELECT date_trunc('minute', now()), b.app_id, b.tenant_key, b.api, count(*) FROM claimed, buckets b
    WHERE abandoned AND b.id = $1 GROUP BY 1, 2, 3, 4
    ON CONFLICT (minute, app_id, tenant_key, api) DO UPDATE SET calls = m.calls + excluded.calls
  )
  SELECT c.*, (c.last_error ->> 'tokens_refused')::int AS tokens_refused,
    CASE WHEN c.abandoned THEN 0 ELSE (c.last_error ->> 'looks')::int END AS looks,
    (c.last_error ->> 'unanswered')::int AS unanswered, (c.last_error ->> 'probed')::bool AS probed,
    CASE WHEN c.api <> 'update_result' THEN false ELSE EXISTS (
      SELECT 1 FROM deliveries w WHERE w.lane = c.lane AND w.seq < c.seq AND w.api = c.api AND ${stateOf('w')} = 'delivered'
    ) END AS again,
    coalesce(extract(epoch FROM now() - c.first_attempt_at)::float8 * 1000 - c.waited_ms, 0)::float8 AS age_ms,
    EXISTS (SELECT 1 FROM deliveries w WHERE w.lane = c.lane AND w.seq > c.seq AND ${stateOf('w')} = 'pending') AS others_wait,
    o.state AS order_state, o.data_key, o.trace_parent
  FROM claimed c LEFT JOIN orders o ON o.background_check_id = c.background_check_id
  ORDER BY c.id`

export async function claimHeads(sql: Sql, bucketId: number, limit: number, leaseMs: number): Promise<Claim[]> {
  const claimedAt = performance.now()
  const claimed = await sql.query<ClaimRow>({ name: 'claim-heads', text: claimSql, values: [bucketId, limit, leaseMs] })
  return claimed.rows.map((row) => ({
    id: row.id,
    fence: row.fence,
    lane: row.lane,
    api: row.api,
    backgroundCheckId: row.background_check_id,
    stageId: row.stage_id,
    attempts: row.attempts,
    ambiguous: row.ambiguous,
    tokensRefused: row.tokens_refused ?? 0,
    looks: row.looks ?? 0,
    unanswered: row.unanswered ?? 0,
    probed: row.probed ?? false,
    again: row.again,
    ageMs: row.age_ms,
    othersWait: row.others_wait,
    orderState: row.order_state,
    dataKey: row.data_key,
    bodySealed: row.body_sealed,
    traceParent: row.trace_parent,
    claimedAt,
  }))
}

/** What Feishu's windows may still count of a bucket, for a limiter that lost its state; `but` are claims not sent yet. */
export async function knownUses(
  sql: Sql,
  bucketId: number,
  longestWindowMs: number,
  but: readonly string[],
): Promise<Array<{ name: string; answeredMsAgo: number } | { name: string; arrivesWithinMs: number }>> {
  const found = await sql.query<{
    id: string
    fence: number
    sending_ms: number | null
    recent_calls: number
    ago_ms: number | null
  }>(
    `SELECT id, fence, recent_calls,
       CASE WHEN state = 'sending' THEN extract(epoch FROM due_at - now())::float8 * 1000 END AS sending_ms,
       extract(epoch FROM now() - last_call_at)::float8 * 1000 AS ago_ms
     FROM deliveries WHERE bucket_id = $1 AND (
       (due_at IS NOT NULL AND state = 'sending' AND NOT id = ANY($3::bigint[]))
       OR (last_call_at IS NOT NULL AND last_call_at > now() - $2 * interval '1 ms'))`,
    [bucketId, longestWindowMs, but],
  )
  return found.rows.flatMap((row) => {
    const inFlight = row.sending_ms !== null && !but.includes(row.id)
    const recent = row.ago_ms !== null && row.ago_ms <= longestWindowMs ? row.recent_calls : 0
    const answered = Array.from({ length: recent }, (_, index) => ({
      name: `${row.id}~${index}`,
      answeredMsAgo: row.ago_ms ?? 0,
    }))
    return inFlight
      ? [...answered, { name: `${row.id}.${row.fence}`, arrivesWithinMs: Math.max(0, row.sending_ms ?? 0) }]
      : answered
  })
}
