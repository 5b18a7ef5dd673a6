import { drawnOf, minuteLimitOf, type Series, toldOf, totalsOf } from './quota-figures.js'
import { type SpanName, spans } from './spans.js'
import type { Visit } from './visit.js'

interface ChartOptions {
  visit: Visit
  series: Series
  span: SpanName
  now: number
}

/** From this share of the limit on, the limit is drawn: below it, the line would hide the shape of all others. */
const nearLimit = 0.2

/** Calls of one tenant to one method: drawn by assets/charts.js, and as a table for those who see or run none. */
export function Chart({ visit, series, span, now }: ChartOptions) {
  const { t, timeZone, language } = visit
  const { app_id: app, tenant_key: tenant, api, points } = series
  const limit = minuteLimitOf(series.windows)
  const { calls, peak, limited } = totalsOf(points)
  const drawn = drawnOf(points, span, now)
  const lines = [
    {
      label: t(spans[span].drawn === 'minute' ? 'callsPerMinute' : 'fullestMinute'),
      look: 'line',
      values: drawn.peaks,
    },
    ...(peak >= limit * nearLimit ? [{ label: t('limitPerMinute'), look: 'limit', value: limit }] : []),
    ...(limited > 0 ? [{ label: t('answers429'), look: 'bars', values: drawn.limited }] : []),
  ]
  const { from, step } = drawn
  const chart = { from, step, count: drawn.peaks.length, lines, timeZone, language, at: t('at') }
  const id = `chart-${app}-${tenant}-${api}`
  return (
    <figure class="usage" id={`usage-${app}-${tenant}-${api}`}>
      <figcaption>
        <code>{api}</code> <span class="id">{tenant}</span>
        <span class="faint">{t('usage', { calls, peak, limit, share: shareOf(peak, limit), limited })}</span>
      </figcaption>
      <div id={id} class="chart" aria-hidden="true" hx-morph-skip-children="" data-chart={JSON.stringify(chart)} />
      <details>
        <summary>{t('asTable')}</summary>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard (WCAG 2.1.1) */}
        <section class="scroll" tabIndex={0} aria-label={`${api} ${tenant}`}>
          <Told visit={visit} series={series} span={span} />
        </section>
      </details>
    </figure>
  )
}

function Told({ visit, series, span }: Omit<ChartOptions, 'now'>) {
  const { t } = visit
  const heads = [t('calls'), t('fullestMinute'), t('deliveredCalls'), t('answers429')]
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">{t('at')}</th>
          {heads.map((head) => (
            <th key={head} scope="col" class="number">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {toldOf(series.points, span, visit.timeZone).map(({ label, calls, peak, delivered, limited }) => (
          <tr key={label}>
            <th scope="row">{label}</th>
            {[calls, peak, delivered, limited].map((value, index) => (
              <td key={heads[index]} class="number">
                {value}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

export function shareOf(part: number, whole: number): string {
  const percent = (100 * part) / whole
  return `${percent === 0 || percent >= 10 ? Math.round(percent) : percent.toFixed(1)} %`
}
