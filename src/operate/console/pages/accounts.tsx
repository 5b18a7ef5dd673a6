import { type Account, account, accountStates } from '../../api/accounts.js'
import { listOf } from '../../api/lists.js'
import { namedIn, State } from '../explain.js'
import { renderVisit } from '../layout.js'
import { html, type Page } from '../page.js'
import { type Column, Filters, Id, List, Live, Pager, Time } from '../parts.js'
import { listQuery, type Visit } from '../visit.js'
import { showProblem } from './problem.js'

export const accountsPage: Page = {
  path: '/accounts',
  show: async (visit) => {
    const found = await visit.ask('accounts.list', listOf('AccountList', account), { query: listQuery(visit) })
    if (found.kind === 'problem') return showProblem(visit, found)
    return html(
      renderVisit(
        visit,
        visit.t('accounts'),
        <>
          <Filters
            visit={visit}
            choices={[
              { name: 'state', label: 'state', values: accountStates, show: namedIn(visit) },
              { name: 'tenant_key', label: 'tenant' },
            ]}
          />
          <Live visit={visit} id="accounts">
            <List visit={visit} columns={columnsOf(visit)} idOf={(row) => row.account_id} rows={found.body.items} />
            <Pager visit={visit} next={found.body.next_cursor} />
          </Live>
        </>,
      ),
    )
  },
}

function columnsOf(visit: Visit): Array<Column<Account>> {
  const { t } = visit
  return [
    { head: t('account'), cell: (row) => <Id href={`/console/accounts/${row.account_id}`}>{row.account_id}</Id> },
    { head: t('accountName'), cell: (row) => row.account_name || '–' },
    { head: t('state'), cell: (row) => <State visit={visit} name={row.state} /> },
    { head: t('customer'), cell: (row) => <Id>{row.customer_id ?? '–'}</Id> },
    { head: t('tenant'), cell: (row) => <Id>{row.tenant_key}</Id> },
    { head: t('updated'), cell: (row) => <Time visit={visit} at={row.updated_at} /> },
  ]
}
