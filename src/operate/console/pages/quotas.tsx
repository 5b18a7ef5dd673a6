import { feishuApis } from '../../../flow/to-feishu/apis.js'
import type { Problem } from '../../api/problems.js'
import { Chart, shareOf } from '../chart.js'
import { renderVisit } from '../layout.js'
import { html, type Page } from '../page.js'
import { Filters, Id, List, Live } from '../parts.js'
import { minuteLimitOf } from '../quota-figures.js'
import { readUsage, type Usage } from '../quotas-read.js'
import { spanNames, spanOf, spans } from '../spans.js'
import type { Visit } from '../visit.js'
import { Complaint } from './problem.js'

const mostCharts = 6
const mostLines = 200

/** Calls of each tenant to each method over time, against the windows. */
export const quotasPage: Page = {
  path: '/quotas',
  show: async (visit) => {
    const { t, query } = visit
    const span = spanOf(query.get('span'))
    const given = (name: string) => (query.get(name) ? { [name]: query.get(name) ?? '' } : {})
    const filter = { ...given('tenant_key'), ...given('api') }
    const usage = await readUsage(visit, { span, most: mostCharts, filter })
    return html(
      renderVisit(
        visit,
        t('quotas'),
        <>
          <Filters
            visit={visit}
            choices={[
              {
                name: 'span',
                label: 'span',
                values: spanNames,
                show: (name) => t(`span${spanOf(name)}`),
                hasDefault: true,
              },
              { name: 'tenant_key', label: 'tenant' },
              { name: 'api', label: 'call', values: feishuApis },
            ]}
          />
          <Live visit={visit} id="quotas" everySeconds={spans[span].everySeconds}>
            <Charts visit={visit} usage={usage} />
            {usage.kind === 'usage' && <Table visit={visit} usage={usage} />}
          </Live>
        </>,
      ),
    )
  },
}

/** What cannot be answered, since too many have called, is said in its place. */
export function Charts({ visit, usage }: { visit: Visit; usage: Usage | Problem }) {
  if (usage.kind === 'problem') return <Complaint problem={usage} />
  const { drawn, span, now } = usage
  if (drawn.length === 0) return <p class="empty">{visit.t('noCalls')}</p>
  return (
    <div class="usages">
      {drawn.map((series) => (
        <Chart
          key={`${series.app_id} ${series.tenant_key} ${series.api}`}
          visit={visit}
          series={series}
          span={span}
          now={now}
        />
      ))}
    </div>
  )
}

function Table({ visit, usage: { all, span } }: { visit: Visit; usage: Usage }) {
  const { t } = visit
  return (
    <>
      <h2>{t('quotasAll')}</h2>
      <p class="hint">{t('quotasHelp')}</p>
      <List
        visit={visit}
        rows={all.slice(0, mostLines)}
        idOf={({ app_id, tenant_key, api }) => `${app_id}-${tenant_key}-${api}`}
        columns={[
          {
            head: t('tenant'),
            cell: ({ tenant_key: tenant, api }) => (
              <Id href={`/console/quotas?${new URLSearchParams({ span, tenant_key: tenant, api }).toString()}`}>
                {tenant}
              </Id>
            ),
          },
          { head: t('app'), cell: ({ app_id: app }) => <Id>{app}</Id> },
          { head: t('call'), cell: ({ api }) => <code>{api}</code> },
          { head: t('calls'), cell: ({ totals }) => totals.calls, number: true },
          { head: t('fullestMinute'), cell: ({ totals }) => totals.peak, number: true },
          {
            head: t('ofLimit'),
            cell: ({ totals, windows }) => shareOf(totals.peak, minuteLimitOf(windows)),
            number: true,
          },
          { head: t('answers429'), cell: ({ totals }) => totals.limited, number: true },
        ]}
      />
    </>
  )
}
