import type { Sql } from '../../platform/database/database.js'

type Ended = ReadonlyArray<{ background_check_id: string | null }>

interface Ends {
  /** Feishu took their results. */
  results: Ended
  /** Feishu took their cancels: nobody asks the vendor any more. */
  canceled: Ended
  /** Their results or cancels are dead. */
  dead: Ended
}

/**
 * What settled ends mean for the polls of their orders. With its result an order's polls end, but for one that is due or
 * under way: somebody may have said that the order changed, and it is asked for once more (src/flow/orders/poll-over.ts).
 * Where an end died, what the vendor said last is read anew: it may have taken that end back, or gone on after it. Polls
 * that go on begin anew with the shortest interval.
 *
 * All at once and in the order in which a settlement of polls locks them, which holds no lane.
 */
export async function settlePolls(sql: Sql, { results, canceled, dead }: Ends): Promise<void> {
  const all = [...results, ...canceled, ...dead]
  if (all.length === 0) return
  await sql.query(
    `WITH held AS MATERIALIZED (
       SELECT background_check_id AS id, background_check_id = ANY($2) AS never,
         claimed OR nudged OR due_at <= now() OR background_check_id = ANY($3) AS again
       FROM poll_schedule WHERE background_check_id = ANY($1) ORDER BY background_check_id FOR UPDATE
     ), ended AS (
       DELETE FROM poll_schedule s USING held WHERE s.background_check_id = held.id AND (held.never OR NOT held.again)
     )
     UPDATE poll_schedule s SET fence = s.fence + 1, claimed = false, nudged = false, due_at = now(), interval_ms = 0, fingerprint = NULL
     FROM held WHERE s.background_check_id = held.id AND NOT held.never AND held.again`,
    [idsOf(all), idsOf(canceled), idsOf(dead)],
  )
}

function idsOf(rows: Ended): string[] {
  return rows.flatMap((row) => row.background_check_id ?? [])
}
