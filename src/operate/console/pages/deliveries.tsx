import { allows } from '../../api/ask.js'
import { retried } from '../../api/delivery-retries.js'
import { apis, type Delivery, deadClasses, delivery, deliveryStates } from '../../api/delivery-shape.js'
import { listOf } from '../../api/lists.js'
import { Named, namedIn, State } from '../explain.js'
import { renderVisit } from '../layout.js'
import { type Action, html, type Page } from '../page.js'
import { Button, type Column, Filters, Id, List, Live, Pager, Time } from '../parts.js'
import { listQuery, type Visit } from '../visit.js'
import { oneDeliveryActions } from './delivery.js'
import { Notice } from './notice.js'
import { showProblem } from './problem.js'

const deliveries = listOf('DeliveryList', delivery)

export const deliveriesPage: Page = {
  path: '/deliveries',
  show: async (visit) => {
    const found = await visit.ask('deliveries.list', deliveries, { query: listQuery(visit) })
    if (found.kind === 'problem') return showProblem(visit, found)
    return html(
      renderVisit(
        visit,
        visit.t('deliveries'),
        <>
          <Notice visit={visit} />
          <Filters
            visit={visit}
            choices={[
              { name: 'state', label: 'state', values: deliveryStates, show: namedIn(visit) },
              { name: 'class', label: 'class', values: deadClasses, show: namedIn(visit) },
              { name: 'api', label: 'call', values: apis },
              { name: 'tenant_key', label: 'tenant' },
            ]}
          />
          <Live visit={visit} id="deliveries">
            <List visit={visit} columns={columnsOf(visit)} rows={found.body.items} idOf={(row) => row.id} />
            <Pager visit={visit} next={found.body.next_cursor} />
          </Live>
          {allows(visit.session.key, 'deliveries.retry_many') && <RetryMany visit={visit} />}
        </>,
      ),
    )
  },
}

function columnsOf(visit: Visit): Array<Column<Delivery>> {
  const { t } = visit
  return [
    { head: t('deliveryId'), cell: (row) => <Id href={`/console/deliveries/${row.id}`}>{row.id}</Id> },
    { head: t('call'), cell: (row) => <code>{row.api}</code> },
    { head: t('state'), cell: (row) => <State visit={visit} name={row.state} /> },
    { head: t('class'), cell: (row) => (row.class === undefined ? '–' : <Named visit={visit} name={row.class} />) },
    {
      head: t('order'),
      cell: ({ background_check_id: id }) => (id === undefined ? '–' : <Id href={`/console/orders/${id}`}>{id}</Id>),
    },
    { head: t('tenant'), cell: (row) => <Id>{row.tenant_key}</Id> },
    { head: t('attempts'), cell: (row) => row.attempts, number: true },
    { head: t('created'), cell: (row) => <Time visit={visit} at={row.created_at} /> },
  ]
}

/** Takes the filters of the list above; says which they are before anything is sent. */
function RetryMany({ visit }: { visit: Visit }) {
  const { t, query } = visit
  const filter = Object.fromEntries([...query].filter(([name, value]) => filterNames.includes(name) && value !== ''))
  return (
    <section>
      <h2>{t('retryMany')}</h2>
      <p class="hint">{t('retryManyHelp')}</p>
      <Button visit={visit} action="/console/deliveries/retry" label={t('dryRun')} look="plain" fields={filter} />
    </section>
  )
}

const filterNames = ['class', 'api', 'tenant_key']

const retryMany: Action = {
  path: '/deliveries/retry',
  run: async (visit, _params, form) => {
    const { t } = visit
    const filter = Object.fromEntries(filterNames.flatMap((name) => (form[name] ? [[name, form[name]]] : [])))
    const dryRun = form['really'] !== 'true'
    const done = await visit.ask('deliveries.retry_many', retried, { body: { filter, dry_run: dryRun } })
    if (done.kind === 'problem') return showProblem(visit, done)
    const { delivery_ids: ids, refused, matched } = done.body
    const shown = (
      <>
        <p>{t(dryRun ? 'wouldRetry' : 'didRetry', { count: ids.length, matched })}</p>
        <p>
          {ids.slice(0, 200).map((id) => (
            <>
              <Id href={`/console/deliveries/${id}`}>{id}</Id>{' '}
            </>
          ))}
        </p>
        {refused.length > 0 && (
          <List
            visit={visit}
            rows={refused}
            columns={[
              { head: t('deliveryId'), cell: ({ id }) => <Id href={`/console/deliveries/${id}`}>{id}</Id> },
              { head: t('reason'), cell: ({ reason }) => reason },
            ]}
          />
        )}
        {dryRun && ids.length > 0 && (
          <Button
            visit={visit}
            action="/console/deliveries/retry"
            label={t('retryNow', { count: ids.length })}
            fields={{ ...filter, really: 'true' }}
          />
        )}
        <p>
          <a href="/console/deliveries?state=dead">{t('back')}</a>
        </p>
      </>
    )
    return html(renderVisit(visit, t('retryMany'), shown))
  },
}

export const deliveryActions: readonly Action[] = [retryMany, ...oneDeliveryActions]
