import type { z } from 'zod'
import type { Delivery } from '../../api/delivery-shape.js'
import { wholeOrder } from '../../api/order-shape.js'
import { Failed, Flags, LastError, Named, State } from '../explain.js'
import { renderVisit } from '../layout.js'
import { html, type Page } from '../page.js'
import { Facts, Id, List, Live, Time } from '../parts.js'
import { said } from '../said.js'
import type { Visit } from '../visit.js'
import { Notice } from './notice.js'
import { Actions } from './order-actions.js'
import { Timeline } from './order-timeline.js'
import { showProblem } from './problem.js'

type WholeOrder = z.output<typeof wholeOrder>

export const orderPage: Page = {
  path: '/orders/:id',
  show: async (visit, { id = '' }) => {
    const found = await visit.ask('orders.read', wholeOrder, { params: { background_check_id: id } })
    if (found.kind === 'problem') return showProblem(visit, found)
    return html(
      renderVisit(
        visit,
        visit.t('orderTitle', { id }),
        <>
          <Notice visit={visit} />
          <Live visit={visit} id="order">
            <p>
              <State visit={visit} name={found.body.state} />
            </p>
            {found.body.archived_at !== undefined && <p class="complaint warn">{visit.t('archivedHelp')}</p>}
            <About visit={visit} order={found.body} />
            <h2>{visit.t('timeline')}</h2>
            <Timeline visit={visit} order={found.body} />
            <h2>{visit.t('deliveries')}</h2>
            <Deliveries visit={visit} order={found.body} />
            {found.body.archived_at === undefined && <Actions visit={visit} order={found.body} />}
          </Live>
        </>,
      ),
    )
  },
}

interface Props {
  visit: Visit
  order: WholeOrder
}

function About({ visit, order: shown }: Props) {
  const { t } = visit
  const { failure } = shown
  return (
    <>
      {failure !== undefined && <Failed visit={visit} failure={failure} />}
      {shown.attention.length > 0 && (
        <div class="complaint warn">
          <Flags visit={visit} names={shown.attention} />
        </div>
      )}
      <Facts
        rows={[
          [t('vendorOrder'), <Id>{shown.vendor_order_id ?? '–'}</Id>],
          [
            t('account'),
            shown.account_id === null ? (
              '–'
            ) : (
              <Id href={`/console/accounts/${shown.account_id}`}>{shown.account_id}</Id>
            ),
          ],
          [t('package'), <Id>{shown.package_id ?? '–'}</Id>],
          [t('tenant'), <Id>{shown.tenant_key}</Id>],
          [t('app'), <Id>{shown.app_id}</Id>],
          [t('created'), <Time visit={visit} at={shown.created_at} />],
          [t('updated'), <Time visit={visit} at={shown.updated_at} />],
          [t('nextPoll'), <Time visit={visit} at={shown.next_poll_at} />],
          ...(shown.erased_at === undefined
            ? []
            : [[t('erased'), <Time visit={visit} at={shown.erased_at} />] as const]),
          ...(shown.archived_at === undefined
            ? []
            : [[t('archived'), <Time visit={visit} at={shown.archived_at} />] as const]),
        ]}
      />
    </>
  )
}

function Deliveries({ visit, order: shown }: Props) {
  const { t } = visit
  // Those of an archived order have no pages of their own.
  const isThere = shown.archived_at === undefined
  return (
    <List
      visit={visit}
      rows={shown.deliveries}
      idOf={({ id }) => id}
      columns={[
        {
          head: t('deliveryId'),
          cell: (row) => (isThere ? <Id href={`/console/deliveries/${row.id}`}>{row.id}</Id> : <Id>{row.id}</Id>),
        },
        { head: t('call'), cell: (row) => <code>{row.api}</code> },
        { head: t('state'), cell: (row) => <State visit={visit} name={row.state} /> },
        { head: t('class'), cell: (row) => (row.class === undefined ? '–' : <Named visit={visit} name={row.class} />) },
        { head: t('attempts'), cell: (row) => row.attempts, number: true },
        { head: t('lastError'), cell: (row) => <LastError visit={visit} value={row.last_error} /> },
        { head: t('whenNext'), cell: (row) => <Next visit={visit} delivery={row} /> },
      ]}
    />
  )
}

/** When it went or goes, and what it waits for. */
function Next({
  visit,
  delivery: { delivered_at: at, next_attempt_at: next, hold },
}: {
  visit: Visit
  delivery: Delivery
}) {
  return (
    <>
      <Time visit={visit} at={at ?? next} />
      {hold !== undefined && <span class="faint"> {said(hold.reason, visit.language)}</span>}
    </>
  )
}
