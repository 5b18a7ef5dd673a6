import type { Figures } from '../../figures.js'
import { Named } from '../explain.js'
import { renderVisit } from '../layout.js'
import { html, type Page } from '../page.js'
import { duration, Live } from '../parts.js'
import { readUsage } from '../quotas-read.js'
import type { Visit } from '../visit.js'
import { Charts } from './quotas.js'

const mostCharts = 4

/** What waits, what is stuck, and how much of Feishu's quota is used. */
export const overviewPage: Page = {
  path: '/',
  show: async (visit) => {
    const { t } = visit
    const usage = await readUsage(visit, { span: '1h', most: mostCharts })
    const limited = usage.kind === 'usage' ? sum(usage.all.map(({ totals }) => totals.limited)) : undefined
    const [tiles, lists] = await Promise.all([readTiles(visit, limited), readLists(visit)])
    return html(
      renderVisit(
        visit,
        t('overview'),
        <Live visit={visit} id="overview">
          <dl class="tiles">
            {tiles.map(({ label, value, href, bad }) => (
              <div key={label} class={bad ? 'bad' : undefined}>
                <dt>{label}</dt>
                <dd>{href === undefined ? value : <a href={href}>{value}</a>}</dd>
              </div>
            ))}
          </dl>
          <h2>
            {t('quotasLastHour')}{' '}
            <a class="more" href="/console/quotas">
              {t('quotasAll')}
            </a>
          </h2>
          <Charts visit={visit} usage={usage} />
          <div class="columns">
            {lists.map(({ label, rows }) => (
              <section key={label}>
                <h2>{label}</h2>
                {rows.length === 0 ? <p class="empty">{t('none')}</p> : <Counts visit={visit} rows={rows} />}
              </section>
            ))}
          </div>
        </Live>,
      ),
    )
  },
}

interface Tile {
  label: string
  value: string
  href?: string
  bad?: boolean
}

async function readTiles(visit: Visit, limited: number | undefined): Promise<Tile[]> {
  const { t, figures } = visit
  const [events, failed, oldest, orders, dead, holds, findings, breaker, late, alerts] = await Promise.all([
    figures('bgc_events_waiting'),
    figures('bgc_events_failed'),
    figures('bgc_deliveries_oldest_waiting_seconds', 'api'),
    figures('bgc_orders_open', 'state'),
    figures('bgc_deliveries_dead', 'class'),
    figures('bgc_holds_open', 'scope'),
    figures('bgc_findings_open', 'kind'),
    figures('bgc_vendor_breaker_open'),
    figures('bgc_polls_late_seconds'),
    figures('bgc_alerts_standing', 'severity'),
  ])
  // Labels that nothing has are absent also once they were counted; this one has a value then.
  const isCounted = events[''] !== undefined
  const total = (counts: Figures) => (isCounted ? sum(Object.values(counts)) : undefined)
  return [
    { label: t('eventsWaiting'), value: shown(events['']) },
    { ...count(t('eventsFailed'), failed['']), href: '/console/events?state=failed' },
    {
      label: t('oldestWaiting'),
      value: isCounted ? duration(visit, 1000 * Math.max(0, ...Object.values(oldest))) : '–',
    },
    {
      ...count(t('failedOrders'), isCounted ? (orders['failed'] ?? 0) : undefined),
      href: '/console/orders?state=failed',
    },
    { ...count(t('deadDeliveries'), total(dead)), href: '/console/deliveries?state=dead' },
    { ...count(t('holds'), total(holds)), href: '/console/queues' },
    { ...count(t('findings'), total(findings)), href: '/console/findings?state=open' },
    { label: t('pollsLate'), value: late[''] === undefined ? '–' : duration(visit, 1000 * late['']) },
    { ...count(t('limitedLastHour'), limited), href: '/console/quotas' },
    { label: t('breaker'), value: breakerState(visit, breaker['']), bad: (breaker[''] ?? 0) > 0 },
    // Without a bot nobody judges what an alert would be: nought would be a claim.
    ...(visit.hasBot ? [count(t('alerts'), total(alerts))] : []),
  ]
}

async function readLists({ t, figures }: Visit) {
  const [orders, waiting, tasks, dead, answers] = await Promise.all([
    figures('bgc_orders_open', 'state'),
    figures('bgc_deliveries_waiting_heads', 'api'),
    figures('bgc_vendor_tasks_waiting', 'action'),
    figures('bgc_deliveries_dead', 'class'),
    figures('bgc_webhook_answers_total', 'status'),
  ])
  return [
    { label: t('ordersByState'), rows: Object.entries(orders) },
    { label: t('waitingByCall'), rows: Object.entries(waiting) },
    { label: t('vendorTasks'), rows: Object.entries(tasks) },
    { label: t('deadByClass'), rows: Object.entries(dead) },
    { label: t('webhookAnswers'), rows: Object.entries(answers) },
  ]
}

function Counts({ visit, rows }: { visit: Visit; rows: ReadonlyArray<[string, number]> }) {
  return (
    <dl class="counts">
      {rows.map(([name, value]) => (
        <div key={name} class={name === 'failed' ? 'bad' : undefined}>
          <dt>
            <Named visit={visit} name={name} />
          </dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

function count(label: string, value: number | undefined): Tile {
  return { label, value: shown(value), bad: (value ?? 0) > 0 }
}

/** A dash where nobody could count: nought would be a claim. */
const shown = (value: number | undefined) => (value === undefined ? '–' : String(value))
const sum = (values: readonly number[]) => values.reduce((all, each) => all + each, 0)

function breakerState({ t }: Visit, value: number | undefined): string {
  if (value === undefined) return '–'
  if (value === 0) return t('breakerClosed')
  return t(value < 1 ? 'breakerHalfOpen' : 'breakerOpen')
}
