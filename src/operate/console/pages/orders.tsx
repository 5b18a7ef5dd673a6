import { allows } from '../../api/ask.js'
import { listOf } from '../../api/lists.js'
import { type Order, order, orderStates } from '../../api/order-shape.js'
import { namedIn, State } from '../explain.js'
import { renderVisit } from '../layout.js'
import { type Action, html, type Page } from '../page.js'
import { type Column, Filters, Id, List, Live, Pager, Time } from '../parts.js'
import { listQuery, type Visit } from '../visit.js'
import { showProblem } from './problem.js'

const orders = listOf('OrderList', order)

export const ordersPage: Page = {
  path: '/orders',
  show: async (visit) => {
    const found = await visit.ask('orders.list', orders, { query: listQuery(visit) })
    if (found.kind === 'problem') return showProblem(visit, found)
    const { items, next_cursor: next } = found.body
    return html(
      renderVisit(
        visit,
        visit.t('orders'),
        <>
          <Filters
            visit={visit}
            choices={[
              { name: 'q', label: 'orderId' },
              { name: 'state', label: 'state', values: orderStates, show: namedIn(visit) },
              { name: 'attention', label: 'attention' },
              { name: 'tenant_key', label: 'tenant' },
              { name: 'account_id', label: 'account' },
            ]}
          />
          {allows(visit.session.key, 'orders.search') && <ContactSearch visit={visit} />}
          <Live visit={visit} id="orders">
            <List visit={visit} columns={columnsOf(visit)} rows={items} idOf={(row) => row.background_check_id} />
            <Pager visit={visit} next={next} />
          </Live>
        </>,
      ),
    )
  },
}

function columnsOf(visit: Visit): Array<Column<Order>> {
  const { t } = visit
  return [
    {
      head: t('orderId'),
      cell: (row) => <Id href={`/console/orders/${row.background_check_id}`}>{row.background_check_id}</Id>,
    },
    { head: t('state'), cell: (row) => <State visit={visit} name={row.state} /> },
    { head: t('attention'), cell: (row) => row.attention.join(', ') || '–' },
    { head: t('vendorOrder'), cell: (row) => <Id>{row.vendor_order_id ?? '–'}</Id> },
    { head: t('tenant'), cell: (row) => <Id>{row.tenant_key}</Id> },
    { head: t('updated'), cell: (row) => <Time visit={visit} at={row.updated_at} /> },
  ]
}

/** Sent as a form and not as a query: addresses end up in logs and histories. */
function ContactSearch({ visit }: { visit: Visit }) {
  const { t } = visit
  return (
    <details>
      <summary>{t('searchContact')}</summary>
      <form class="filters" method="post" action="/console/orders/search">
        <input type="hidden" name="csrf" value={visit.session.csrf} />
        <div>
          <label for="mobile">{t('mobile')}</label>
          <input id="mobile" name="mobile" type="text" inputMode="tel" autocomplete="off" />
        </div>
        <div>
          <label for="email">{t('email')}</label>
          <input id="email" name="email" type="text" inputMode="email" autocomplete="off" />
        </div>
        <div>
          <button type="submit">{t('searchAudited')}</button>
        </div>
      </form>
    </details>
  )
}

export const searchAction: Action = {
  path: '/orders/search',
  run: async (visit, _params, form) => {
    const body = { ...(form['mobile'] && { mobile: form['mobile'] }), ...(form['email'] && { email: form['email'] }) }
    const found = await visit.ask('orders.search', orders, { body, query: { limit: '200' } })
    if (found.kind === 'problem') return showProblem(visit, found)
    const list = <List visit={visit} columns={columnsOf(visit)} rows={found.body.items} />
    return html(renderVisit(visit, visit.t('found', { count: found.body.items.length }), list))
  },
}
