import type pg from 'pg'
import { z } from 'zod'
import type { Config } from '../../config.js'
import { apis, type FeishuApi, feishuApis } from '../../flow/to-feishu/apis.js'
import { misfit } from './problems.js'
import { noBody, none, ok, type Route, route } from './route.js'
import { given, listed, time, timeOf } from './shapes.js'
import { oneOf, text } from './values.js'

const steps = ['minute', 'hour', 'day'] as const

/** What is asked of the table of calls per minute. */
export interface QuotaQuestion {
  since: Date
  until: Date
  step: (typeof steps)[number]
  appId?: string
  tenantKey?: string
  api?: string
}

const point = z.object({
  at: time.meta({ description: 'Where the step begins, in UTC' }),
  calls: z.int().meta({ description: 'All that were made' }),
  delivered: z.int().meta({ description: 'Those that took effect, or told what was asked' }),
  limited: z.int().meta({ description: 'Those that Feishu answered with 429' }),
  peak: z.int().meta({ description: 'Most calls in one minute of the step' }),
})

const series = z
  .object({
    app_id: z.string(),
    tenant_key: z.string(),
    api: listed(feishuApis),
    windows: z.array(z.object({ limit: z.int(), window_ms: z.int() })).meta({ description: 'What is kept to' }),
    points: z.array(point).meta({ description: 'Oldest first; a step without calls is left out' }),
  })
  .meta({ id: 'QuotaSeries', description: 'Calls of one tenant to one method, which Feishu counts together' })

export const quotas = z
  .object({ since: time, until: time, step: listed(steps), series: z.array(series) })
  .meta({ id: 'Quotas', description: 'Calls to Feishu over time, against the windows' })

interface MinuteRow {
  at: Date
  app_id: string
  tenant_key: string
  api: string
  calls: number
  delivered: number
  limited: number
  peak: number
}

const mostPoints = 20_000

/** Series by app, tenant and method; `null` when there are more points than an answer should have. */
export async function readQuotas(
  pool: Pick<pg.Pool, 'query'>,
  { rateLimits, rateLimitsSlow }: Pick<Config['feishu'], 'rateLimits' | 'rateLimitsSlow'>,
  { since, until, step, appId, tenantKey, api }: QuotaQuestion,
): Promise<Array<z.output<typeof series>> | null> {
  const { rows } = await pool.query<MinuteRow>(
    `SELECT date_trunc($1, minute, 'UTC') AS at, app_id, tenant_key, api, sum(calls)::int AS calls,
       sum(delivered)::int AS delivered, sum(limited)::int AS limited, max(calls) AS peak
     FROM call_minutes WHERE minute >= $2 AND minute < $3 AND ($4::text IS NULL OR app_id = $4)
       AND ($5::text IS NULL OR tenant_key = $5) AND ($6::text IS NULL OR api = $6)
     GROUP BY 1, 2, 3, 4 ORDER BY app_id, tenant_key, api, at LIMIT ${mostPoints + 1}`,
    [step, since, until, appId ?? null, tenantKey ?? null, api ?? null],
  )
  if (rows.length > mostPoints) return null
  const found = new Map<string, z.output<typeof series>>()
  for (const { at, app_id, tenant_key, api: method, ...counts } of rows) {
    const name = JSON.stringify([app_id, tenant_key, method])
    const windows = (isSlow(method) ? rateLimitsSlow : rateLimits).map(({ limit, windowMs }) => ({
      limit,
      window_ms: windowMs,
    }))
    const one = found.get(name) ?? { app_id, tenant_key, api: method, windows, points: [] }
    one.points.push({ at: timeOf(at), ...counts })
    found.set(name, one)
  }
  return [...found.values()]
}

function isSlow(api: string): boolean {
  return Object.hasOwn(apis, api) && apis[api as FeishuApi].rate === 'slow'
}

const moment = z.iso
  .datetime({ offset: true, error: 'expected a time as RFC 3339 writes it' })
  .transform((value) => new Date(value))
  .meta({ format: 'date-time' })

const hourMs = 3_600_000

export const quotaRoutes: readonly Route[] = [
  route({
    id: 'quotas.read',
    method: 'GET',
    path: '/v1/quotas',
    summary: 'Calls to Feishu over time, for each tenant and method, against the windows; kept for 35 days',
    scopes: ['read'],
    status: 200,
    params: none,
    query: z.object({
      app_id: text.optional(),
      tenant_key: text.optional(),
      api: oneOf(feishuApis).optional(),
      since: moment.optional().meta({ description: 'An hour before `until` when left out' }),
      until: moment.optional().meta({ description: 'Now when left out' }),
      step: oneOf(steps).default('minute'),
    }),
    body: noBody,
    answer: quotas,
    problems: [],
    run: async ({ database, config }, { query }) => {
      const until = query.until ?? new Date()
      const since = query.since ?? new Date(until.getTime() - hourMs)
      if (since > until) return misfit([{ path: 'since', message: 'expected a time before until' }])
      const found = await readQuotas(database.pool, config.feishu, {
        since,
        until,
        step: query.step,
        ...given('appId', query.app_id),
        ...given('tenantKey', query.tenant_key),
        ...given('api', query.api),
      })
      if (found === null) {
        const message = `expected a longer step, a shorter time or one tenant: more than ${mostPoints} points`
        return misfit([{ path: 'step', message }])
      }
      return ok({ since: timeOf(since), until: timeOf(until), step: query.step, series: found })
    },
  }),
]
