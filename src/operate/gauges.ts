import { Gauge, type Registry } from 'prom-client'
import type { Database } from '../platform/database/database.js'
import type { Logger } from '../platform/logger.js'

/** What waits and what is stuck; the answer counts it in the database, at most every few seconds, for the next scrape. */
export function registerBacklog(
  registry: Registry,
  { pool }: Pick<Database, 'pool'>,
  log: Logger,
): () => Promise<void> {
  const registers = [registry]
  const gauge = <L extends string>(name: string, help: string, labelNames: L[]) =>
    new Gauge({ name, help, labelNames, registers })
  const age = 'Age of the oldest delivery that waits, since it was seen.'
  const oldest = gauge('bgc_deliveries_oldest_waiting_seconds', age, ['api'])
  const waiting = gauge('bgc_deliveries_waiting_heads', 'Lanes whose head waits or is being sent.', ['api'])
  const dead = gauge('bgc_deliveries_dead', 'Deliveries that are dead, by who can mend them.', ['class'])
  const failed = gauge('bgc_events_failed', 'Events that were kept and had no effect.', [])
  const tasks = gauge('bgc_vendor_tasks_waiting', 'Calls that the vendor owes an answer to.', ['action'])
  const holds = gauge('bgc_holds_open', 'What is parked, by scope.', ['scope'])
  const findings = gauge('bgc_findings_open', 'Differences that a person should look at, by kind.', ['kind'])
  const sweeps = gauge('bgc_sweeps', 'Tenants whose orders in Feishu are compared, by whether they can be read.', [
    'permission',
  ])
  const refresh = async () => {
    const { rows: heads } = await pool.query<{ api: string; n: number; age: number }>(
      `SELECT api, count(*)::int AS n, extract(epoch FROM now() - min(seen_at))::float8 AS age
       FROM deliveries WHERE due_at IS NOT NULL GROUP BY api`,
    )
    for (const each of [oldest, waiting, dead, tasks, holds, findings, sweeps]) each.reset()
    for (const { api, n, age: seconds } of heads) {
      oldest.set({ api }, seconds)
      waiting.set({ api }, n)
    }
    const count = (text: string) => pool.query<{ label: string; n: number }>(text).then(({ rows }) => rows)
    const deadRows = `SELECT dead_class AS label, count(*)::int AS n FROM deliveries WHERE state = 'dead' GROUP BY 1`
    for (const { label, n } of await count(deadRows)) dead.set({ class: label }, n)
    const taskRows = 'SELECT action AS label, count(*)::int AS n FROM vendor_tasks GROUP BY 1'
    for (const { label, n } of await count(taskRows)) tasks.set({ action: label }, n)
    const holdRows = 'SELECT scope AS label, count(*)::int AS n FROM holds WHERE released_at IS NULL GROUP BY 1'
    for (const { label, n } of await count(holdRows)) holds.set({ scope: label }, n)
    const findingRows = `SELECT kind AS label, count(*)::int AS n FROM findings WHERE state = 'open' GROUP BY 1`
    for (const { label, n } of await count(findingRows)) findings.set({ kind: label }, n)
    const sweepRows = 'SELECT permission AS label, count(*)::int AS n FROM sweeps GROUP BY 1'
    for (const { label, n } of await count(sweepRows)) sweeps.set({ permission: label }, n)
    const failedRows = `SELECT '' AS label, count(*)::int AS n FROM events WHERE state = 'failed'`
    for (const { n } of await count(failedRows)) failed.set(n)
  }
  return createThrottle(refresh, log)
}

const freshForMs = 2000

/** A scrape must not fail because PostgreSQL is away: the last figures stand. */
function createThrottle(refresh: () => Promise<void>, log: Logger): () => Promise<void> {
  let refreshedAt = Number.NEGATIVE_INFINITY
  return async () => {
    if (performance.now() - refreshedAt < freshForMs) return
    refreshedAt = performance.now()
    await refresh().catch((failure: unknown) => {
      log.warn({ event: 'metrics.backlog_unknown', err: failure }, 'the backlog could not be counted')
    })
  }
}
