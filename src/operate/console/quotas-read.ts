import type { Problem } from '../api/problems.js'
import { quotas } from '../api/quotas.js'
import { ranked, type Series, type Totals } from './quota-figures.js'
import { gridOf, type SpanName, spans } from './spans.js'
import type { Visit } from './visit.js'

export interface Usage {
  kind: 'usage'
  span: SpanName
  now: number
  /** All that were called, most used first, with their figures over the whole span. */
  all: Array<Series & { totals: Totals }>
  /** The first of them, step by step. */
  drawn: Series[]
}

interface Question {
  span: SpanName
  /** So many are read step by step. */
  most: number
  filter?: Readonly<Record<string, string>>
}

/**
 * Reads in coarse steps who called most, and then only those in fine ones: however many tenants there are, an answer
 * stays small (GET /v1/quotas has a bound).
 */
export async function readUsage({ ask }: Visit, { span, most, filter = {} }: Question): Promise<Usage | Problem> {
  const now = Date.now()
  const since = new Date(gridOf(span, now).from).toISOString()
  const { ranked: coarse, drawn: fine } = spans[span]
  const found = await ask('quotas.read', quotas, { query: { ...filter, since, step: coarse } })
  if (found.kind === 'problem') return found
  const all = ranked(found.body.series)
  const drawn = await Promise.all(
    all.slice(0, most).map(async ({ app_id, tenant_key, api, points, windows }) => {
      const one = await ask('quotas.read', quotas, { query: { app_id, tenant_key, api, since, step: fine } })
      // Calls that another method's name is kept for, from an older release, cannot be asked for: they stay coarse.
      const isSame = (each: Series) => each.app_id === app_id && each.tenant_key === tenant_key && each.api === api
      const read = one.kind === 'ok' ? one.body.series.find(isSame) : undefined
      return read ?? { app_id, tenant_key, api, points, windows }
    }),
  )
  return { kind: 'usage', span, now, all, drawn }
}
