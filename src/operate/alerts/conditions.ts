/**
 * What the group is told of: a subset of ops/prometheus/alerts.yml, under the same names, for those who have no
 * Prometheus. Each statement answers one row for each thing that is wrong: what it is about, and a number. No row has
 * anything personal: classes, scopes, methods and counts.
 */
export interface Condition {
  severity: 'critical' | 'warning'
  sql: string
  /** What the group reads; `{about}` and `{n}` are of the row. */
  zh: string
  en: string
}

const counted = (sql: string) => `SELECT '' AS about, n FROM (${sql}) counted WHERE n > 0`
const minutes = (time: string) => `(extract(epoch FROM now() - ${time}) / 60)::int`

export const conditions = {
  BgcEventsWaiting: {
    severity: 'critical',
    sql: `SELECT '' AS about, ${minutes('min(received_at)')} AS n FROM events WHERE due_at IS NOT NULL
      HAVING min(received_at) < now() - interval '5 minutes'`,
    zh: '事件已收到 {n} 分钟仍未处理',
    en: 'an event has waited for {n} minutes',
  },
  BgcEventsFailed: {
    severity: 'warning',
    sql: counted(`SELECT count(*)::int AS n FROM events WHERE state = 'failed'`),
    zh: '{n} 个事件处理失败',
    en: '{n} events failed',
  },
  BgcOrdersFailed: {
    severity: 'critical',
    sql: counted(`SELECT count(*)::int AS n FROM orders WHERE state = 'failed'`),
    zh: '{n} 个订单未能在供应商下单',
    en: '{n} orders could not be placed at the vendor',
  },
  BgcOrdersStale: {
    severity: 'warning',
    sql: counted(
      `SELECT count(*)::int AS n FROM orders WHERE attention <> '{}' AND attention @> ARRAY['stale'] AND state <> 'completed' AND state <> 'canceled'`,
    ),
    zh: '{n} 个订单多日没有进展',
    en: '{n} orders have not changed for days',
  },
  BgcDeliveriesDead: {
    severity: 'critical',
    sql: `SELECT coalesce(dead_class, 'none') AS about, count(*)::int AS n FROM deliveries WHERE state = 'dead' GROUP BY 1`,
    zh: '{n} 条推送失败，需处理方：{about}',
    en: '{n} deliveries are dead ({about} can mend them)',
  },
  BgcDeliveriesOld: {
    severity: 'critical',
    sql: `SELECT api AS about, ${minutes('min(seen_at)')} AS n FROM deliveries WHERE due_at IS NOT NULL GROUP BY api
      HAVING min(seen_at) < now() - interval '30 minutes'`,
    zh: '{about} 有推送已等待 {n} 分钟',
    en: 'a call of {about} has waited for {n} minutes',
  },
  BgcHoldOpen: {
    severity: 'critical',
    sql: `SELECT scope AS about, count(*)::int AS n FROM holds WHERE released_at IS NULL GROUP BY scope`,
    zh: '{n} 处调用已暂停（{about}），待排除原因后恢复',
    en: '{n} parked ({about}) until somebody mends the cause',
  },
  BgcVendorTasksLate: {
    severity: 'critical',
    sql: `SELECT action AS about, ${minutes('min(due_at)')} AS n FROM vendor_tasks GROUP BY action
      HAVING min(due_at) < now() - interval '10 minutes'`,
    zh: '对供应商的调用（{about}）已滞后 {n} 分钟',
    en: 'calls to the vendor ({about}) are {n} minutes late',
  },
  BgcFeishuLimits: {
    severity: 'warning',
    sql: `SELECT api AS about, sum(limited)::int AS n FROM call_minutes
      WHERE minute > now() - interval '10 minutes' GROUP BY api HAVING sum(limited) > 0`,
    zh: '飞书对 {about} 返回限流 {n} 次',
    en: 'Feishu answered {n} calls of {about} with 429',
  },
  BgcRestoreHeld: {
    severity: 'critical',
    sql: counted('SELECT count(*)::int AS n FROM restores WHERE released_at IS NULL'),
    zh: '数据库从备份恢复后，推送仍处于暂停状态',
    en: 'sending is held since a backup was restored',
  },
  BgcFindingsOpen: {
    severity: 'warning',
    sql: `SELECT kind AS about, count(*)::int AS n FROM findings WHERE state = 'open' GROUP BY kind`,
    zh: '对账发现 {n} 处差异（{about}）',
    en: '{n} differences were found ({about})',
  },
} as const satisfies Record<string, Condition>

export type AlertName = keyof typeof conditions
