import type { z } from 'zod'
import { wholeAccount } from '../../api/accounts.js'
import { allows } from '../../api/ask.js'
import { Failed, State } from '../explain.js'
import { renderVisit } from '../layout.js'
import { type Action, go, html, type Page } from '../page.js'
import { Button, Facts, Id, Json, List, Live, Time } from '../parts.js'
import type { Visit } from '../visit.js'
import { agreeToCatalog } from './catalog.js'
import { Notice } from './notice.js'
import { showProblem } from './problem.js'

type WholeAccount = z.output<typeof wholeAccount>

export const accountPage: Page = {
  path: '/accounts/:id',
  show: async (visit, { id = '' }) => {
    const found = await visit.ask('accounts.read', wholeAccount, { params: { account_id: id } })
    if (found.kind === 'problem') return showProblem(visit, found)
    const { t } = visit
    const { body } = found
    return html(
      renderVisit(
        visit,
        t('accountTitle', { id }),
        <>
          <Notice visit={visit} />
          <Live visit={visit} id="account">
            <p>
              <State visit={visit} name={body.state} />
            </p>
            {body.failure !== undefined && <Failed visit={visit} failure={body.failure} />}
            <Facts
              rows={[
                [t('accountName'), body.account_name || '–'],
                [t('customer'), <Id>{body.customer_id ?? '–'}</Id>],
                [t('tenant'), <Id>{body.tenant_key}</Id>],
                [t('app'), <Id>{body.app_id}</Id>],
                [t('created'), <Time visit={visit} at={body.created_at} />],
                [t('updated'), <Time visit={visit} at={body.updated_at} />],
              ]}
            />
            <Catalog visit={visit} id={id} catalog={body.catalog} />
          </Live>
          {allows(visit.session.key, 'accounts.bind') && (
            <div class="actions">
              <Button visit={visit} action={`/console/accounts/${id}/bind`} label={t('bindAgain')} look="plain" />
            </div>
          )}
        </>,
      ),
    )
  },
}

function Catalog({ visit, id, catalog }: { visit: Visit; id: string; catalog: WholeAccount['catalog'] }) {
  const { t } = visit
  if (catalog === undefined) return <p class="empty">{t('noCatalog')}</p>
  const changes = Object.entries(catalog.difference).flatMap(([what, { added, changed, removed }]) =>
    (['added', 'changed', 'removed'] as const).flatMap((how) =>
      ({ added, changed, removed })[how].map((name) => ({ what, how, name })),
    ),
  )
  const waits = catalog.state === 'waiting' || catalog.state === 'failed'
  const maySend = waits && catalog.plan.length > 0 && allows(visit.session.key, 'accounts.put_catalog')
  return (
    <>
      <h2>{t('catalog')}</h2>
      <p>
        <State visit={visit} name={catalog.state} />
      </p>
      {catalog.failure !== undefined && <Failed visit={visit} failure={catalog.failure} />}
      <h3>{t('difference')}</h3>
      <List
        visit={visit}
        rows={changes}
        idOf={({ what, name }) => `${what}-${name}`}
        columns={[
          { head: t('what'), cell: ({ what }) => <code>{what}</code> },
          { head: t('change'), cell: ({ how }) => t(how) },
          { head: t('name'), cell: ({ name }) => <Id>{name}</Id> },
        ]}
      />
      <h3>{t('plan')}</h3>
      <List
        visit={visit}
        rows={catalog.plan}
        columns={[
          { head: t('call'), cell: ({ api }) => <code>{api}</code> },
          { head: t('summary'), cell: ({ summary }) => summary },
          { head: t('irreversible'), cell: ({ irreversible }) => (irreversible ? t('yes') : t('no')) },
        ]}
      />
      {maySend && (
        <div class="actions">
          <Button visit={visit} action={`/console/accounts/${id}/catalog`} label={t('reviewPlan')} look="plain" />
        </div>
      )}
      <details>
        <summary>{t('held')}</summary>
        <Json value={catalog.held} />
      </details>
      <details>
        <summary>{t('wanted')}</summary>
        <Json value={catalog.wanted} />
      </details>
    </>
  )
}

const bindAgain: Action = {
  path: '/accounts/:id/bind',
  run: async (visit, { id = '' }) => {
    const done = await visit.ask('accounts.bind', wholeAccount, { params: { account_id: id } })
    return done.kind === 'problem' ? showProblem(visit, done) : go(`/console/accounts/${id}?done=bind`)
  },
}

export const accountActions: readonly Action[] = [bindAgain, agreeToCatalog]
