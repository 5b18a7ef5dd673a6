import { findingKinds, findingStates } from '../../../flow/findings.js'
import { allows } from '../../api/ask.js'
import { type Finding, finding } from '../../api/findings.js'
import { listOf } from '../../api/lists.js'
import { namedIn, State } from '../explain.js'
import { renderVisit } from '../layout.js'
import { type Action, go, html, type Page } from '../page.js'
import { Button, type Column, Filters, Id, List, Live, Pager, Time } from '../parts.js'
import { listQuery, type Visit } from '../visit.js'
import { Notice } from './notice.js'
import { showProblem } from './problem.js'

export const findingsPage: Page = {
  path: '/findings',
  show: async (visit) => {
    const found = await visit.ask('findings.list', listOf('FindingList', finding), { query: listQuery(visit) })
    if (found.kind === 'problem') return showProblem(visit, found)
    return html(
      renderVisit(
        visit,
        visit.t('findings'),
        <>
          <Notice visit={visit} />
          <Filters
            visit={visit}
            choices={[
              { name: 'state', label: 'state', values: findingStates, show: namedIn(visit) },
              { name: 'kind', label: 'type', values: findingKinds },
              { name: 'tenant_key', label: 'tenant' },
            ]}
          />
          <Live visit={visit} id="findings">
            <List visit={visit} columns={columnsOf(visit)} rows={found.body.items} idOf={(row) => row.id} />
            <Pager visit={visit} next={found.body.next_cursor} />
          </Live>
        </>,
      ),
    )
  },
}

function columnsOf(visit: Visit): Array<Column<Finding>> {
  const { t, session } = visit
  const mayDismiss = allows(session.key, 'findings.dismiss')
  return [
    { head: t('type'), cell: (row) => <code>{row.kind}</code> },
    { head: t('state'), cell: (row) => <State visit={visit} name={row.state} /> },
    {
      head: t('order'),
      cell: ({ background_check_id: id }) => <Id href={`/console/orders/${id}`}>{id}</Id>,
    },
    { head: t('tenant'), cell: (row) => <Id>{row.tenant_key ?? '–'}</Id> },
    { head: t('details'), cell: (row) => <code class="json">{JSON.stringify(row.detail)}</code> },
    { head: t('since'), cell: (row) => <Time visit={visit} at={row.found_at} /> },
    {
      head: t('actions'),
      cell: (row) =>
        row.state === 'open' && mayDismiss ? (
          <Button visit={visit} action={`/console/findings/${row.id}/dismiss`} label={t('dismiss')} look="plain" />
        ) : (
          '–'
        ),
    },
  ]
}

export const dismissFinding: Action = {
  path: '/findings/:id/dismiss',
  of: '/findings',
  run: async (visit, { id = '' }) => {
    const done = await visit.ask('findings.dismiss', finding, { params: { id } })
    return done.kind === 'problem' ? showProblem(visit, done) : go('/console/findings?state=open&done=dismiss')
  },
}
