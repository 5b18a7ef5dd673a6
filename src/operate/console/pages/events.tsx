import { allows } from '../../api/ask.js'
import { type Event, event, eventStates } from '../../api/events.js'
import { listOf } from '../../api/lists.js'
import { namedIn, State } from '../explain.js'
import { renderVisit } from '../layout.js'
import { type Action, go, html, type Page } from '../page.js'
import { Button, type Column, Filters, Id, List, Live, Pager, Time } from '../parts.js'
import { listQuery, type Visit } from '../visit.js'
import { Notice } from './notice.js'
import { showProblem } from './problem.js'

export const eventsPage: Page = {
  path: '/events',
  show: async (visit) => {
    const found = await visit.ask('events.list', listOf('EventList', event), { query: listQuery(visit) })
    if (found.kind === 'problem') return showProblem(visit, found)
    return html(
      renderVisit(
        visit,
        visit.t('events'),
        <>
          <Notice visit={visit} />
          <Filters
            visit={visit}
            choices={[
              { name: 'state', label: 'state', values: eventStates, show: namedIn(visit) },
              { name: 'type', label: 'type' },
            ]}
          />
          <Live visit={visit} id="events">
            <List visit={visit} columns={columnsOf(visit)} rows={found.body.items} idOf={(row) => row.id} />
            <Pager visit={visit} next={found.body.next_cursor} />
          </Live>
        </>,
      ),
    )
  },
}

function columnsOf(visit: Visit): Array<Column<Event>> {
  const { t, session } = visit
  const mayRetry = allows(session.key, 'events.retry')
  return [
    { head: t('eventId'), cell: (row) => <Id>{row.event_id}</Id> },
    { head: t('type'), cell: (row) => <code>{row.type}</code> },
    { head: t('state'), cell: (row) => <State visit={visit} name={row.state} /> },
    { head: t('tenant'), cell: (row) => <Id>{row.tenant_key || '–'}</Id> },
    { head: t('attempts'), cell: (row) => row.attempts, number: true },
    { head: t('received'), cell: (row) => <Time visit={visit} at={row.received_at} /> },
    { head: t('reason'), cell: (row) => row.error ?? '–' },
    {
      head: t('actions'),
      cell: (row) =>
        row.state === 'failed' && mayRetry ? (
          <Button visit={visit} action={`/console/events/${row.id}/retry`} label={t('processAgain')} look="plain" />
        ) : (
          '–'
        ),
    },
  ]
}

export const retryEvent: Action = {
  path: '/events/:id/retry',
  of: '/events',
  run: async (visit, { id = '' }) => {
    const done = await visit.ask('events.retry', event, { params: { id } })
    return done.kind === 'problem' ? showProblem(visit, done) : go('/console/events?state=failed&done=retry-event')
  },
}
