import { allows } from '../../api/ask.js'
import { type Hold, hold } from '../../api/holds.js'
import { listOf } from '../../api/lists.js'
import { type Sweep, sweep, sweepsDue } from '../../api/sweeps.js'
import { Named, State } from '../explain.js'
import { renderVisit } from '../layout.js'
import { type Action, go, html, type Page } from '../page.js'
import { Button, type Column, Id, List, Live, Time } from '../parts.js'
import { said } from '../said.js'
import type { Visit } from '../visit.js'
import { Notice } from './notice.js'
import { showProblem } from './problem.js'

/** What is parked, and the sweeps. */
export const queuesPage: Page = {
  path: '/queues',
  show: async (visit) => {
    const query = { limit: '200' }
    const [holds, sweeps] = await Promise.all([
      visit.ask('holds.list', listOf('HoldList', hold), { query }),
      visit.ask('sweeps.list', listOf('SweepList', sweep), { query }),
    ])
    if (holds.kind === 'problem') return showProblem(visit, holds)
    if (sweeps.kind === 'problem') return showProblem(visit, sweeps)
    const { t } = visit
    return html(
      renderVisit(
        visit,
        t('queues'),
        <>
          <Notice visit={visit} />
          <Live visit={visit} id="queues">
            <h2>{t('holds')}</h2>
            <List visit={visit} columns={holdColumns(visit)} rows={holds.body.items} idOf={(row) => `hold-${row.id}`} />
            <h2>{t('sweeps')}</h2>
            <List
              visit={visit}
              columns={sweepColumns(visit)}
              rows={sweeps.body.items}
              idOf={(row) => `sweep-${row.app_id}-${row.tenant_key}`}
            />
          </Live>
          {allows(visit.session.key, 'sweeps.run') && (
            <div class="actions">
              <Button visit={visit} action="/console/queues/sweep" label={t('sweepNow')} look="plain" />
            </div>
          )}
        </>,
      ),
    )
  },
}

function holdColumns(visit: Visit): Array<Column<Hold>> {
  const { t, session } = visit
  const mayRelease = allows(session.key, 'holds.release')
  return [
    { head: t('scope'), cell: (row) => <Named visit={visit} name={row.scope} /> },
    { head: t('app'), cell: (row) => <Id>{row.app_id || '–'}</Id> },
    { head: t('tenant'), cell: (row) => <Id>{row.tenant_key ?? '–'}</Id> },
    { head: t('call'), cell: (row) => <code>{row.api ?? '–'}</code> },
    {
      head: t('reason'),
      cell: (row) => `${said(row.reason, visit.language)}${row.code === undefined ? '' : ` (${row.code})`}`,
    },
    { head: t('since'), cell: (row) => <Time visit={visit} at={row.created_at} /> },
    {
      head: t('actions'),
      cell: (row) =>
        mayRelease ? (
          <Button visit={visit} action={`/console/holds/${row.id}/release`} label={t('release')} confirm={t('sure')} />
        ) : (
          '–'
        ),
    },
  ]
}

function sweepColumns(visit: Visit): Array<Column<Sweep>> {
  const { t } = visit
  return [
    { head: t('tenant'), cell: (row) => <Id>{row.tenant_key}</Id> },
    { head: t('app'), cell: (row) => <Id>{row.app_id}</Id> },
    { head: t('permission'), cell: (row) => <State visit={visit} name={row.permission} /> },
    { head: t('reason'), cell: (row) => said(row.reason ?? row.last_error ?? '–', visit.language) },
    { head: t('finished'), cell: (row) => <Time visit={visit} at={row.finished_at} /> },
    { head: t('next'), cell: (row) => <Time visit={visit} at={row.due_at} /> },
  ]
}

const release: Action = {
  path: '/holds/:id/release',
  of: '/queues',
  run: async (visit, { id = '' }) => {
    const done = await visit.ask('holds.release', hold, { params: { id } })
    return done.kind === 'problem' ? showProblem(visit, done) : go('/console/queues?done=release')
  },
}

const sweepNow: Action = {
  path: '/queues/sweep',
  run: async (visit) => {
    const done = await visit.ask('sweeps.run', sweepsDue, { body: {} })
    return done.kind === 'problem' ? showProblem(visit, done) : go('/console/queues?done=sweep')
  },
}

export const queueActions: readonly Action[] = [release, sweepNow]
