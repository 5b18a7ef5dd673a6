import { type AuditLine, entry } from '../../api/audit.js'
import { listOf } from '../../api/lists.js'
import { State } from '../explain.js'
import { renderVisit } from '../layout.js'
import { html, type Page } from '../page.js'
import { type Column, Filters, Id, List, Live, Pager, Time } from '../parts.js'
import { listQuery, type Visit } from '../visit.js'
import { showProblem } from './problem.js'

export const auditPage: Page = {
  path: '/audit',
  show: async (visit) => {
    const found = await visit.ask('audit.list', listOf('AuditList', entry), { query: listQuery(visit) })
    if (found.kind === 'problem') return showProblem(visit, found)
    return html(
      renderVisit(
        visit,
        visit.t('audit'),
        <>
          <Filters
            visit={visit}
            choices={[
              { name: 'actor', label: 'actor' },
              { name: 'action', label: 'action' },
              { name: 'subject', label: 'subject' },
            ]}
          />
          <Live visit={visit} id="audit">
            <List visit={visit} columns={columnsOf(visit)} rows={found.body.items} />
            <Pager visit={visit} next={found.body.next_cursor} />
          </Live>
        </>,
      ),
    )
  },
}

function columnsOf(visit: Visit): Array<Column<AuditLine>> {
  const { t } = visit
  return [
    { head: t('at'), cell: (row) => <Time visit={visit} at={row.at} /> },
    { head: t('actor'), cell: (row) => `${row.actor} (${row.via})` },
    { head: t('action'), cell: (row) => <code>{row.action}</code> },
    { head: t('subject'), cell: (row) => <Id>{row.subject}</Id> },
    { head: t('outcome'), cell: (row) => <State visit={visit} name={row.outcome} /> },
    { head: t('before'), cell: (row) => <code class="json">{shown(row.before)}</code> },
    { head: t('after'), cell: (row) => <code class="json">{shown(row.after)}</code> },
    { head: t('address'), cell: (row) => row.address ?? '–' },
  ]
}

const shown = (value: unknown) => (value === undefined ? '–' : JSON.stringify(value))
