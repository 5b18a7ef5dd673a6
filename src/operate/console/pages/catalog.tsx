import { createHash } from 'node:crypto'
import type { z } from 'zod'
import { wholeAccount } from '../../api/accounts.js'
import { planned } from '../../api/catalogs.js'
import { problem } from '../../api/problems.js'
import { renderVisit } from '../layout.js'
import { type Action, go, html } from '../page.js'
import { Button, List } from '../parts.js'
import type { Visit } from '../visit.js'
import { showProblem } from './problem.js'

type Plan = z.output<typeof planned>['plan']

/**
 * Shows the calls that lead to the catalog that waits, and sends them at a second word. The form says which plan was
 * seen: another one, because the vendor or an operator wanted something else meanwhile, is shown first.
 */
export const agreeToCatalog: Action = {
  path: '/accounts/:id/catalog',
  run: async (visit, { id = '' }, form) => {
    const params = { account_id: id }
    const account = await visit.ask('accounts.read', wholeAccount, { params })
    if (account.kind === 'problem') return showProblem(visit, account)
    const wanted = account.body.catalog?.wanted
    if (!wanted) return showProblem(visit, problem('not-found', visit.t('noCatalog')))
    const body = { ...wanted, allow_irreversible: true }
    const dry = await visit.ask('accounts.put_catalog', planned, { params, body, query: { dry_run: 'true' } })
    if (dry.kind === 'problem') return showProblem(visit, dry)
    const { plan } = dry.body
    const seen = createHash('sha256')
      .update(JSON.stringify([wanted, plan]))
      .digest('base64url')
    if (form['seen'] !== seen) {
      const changed = form['seen'] !== undefined
      return html(renderVisit(visit, visit.t('planTitle', { id }), <Review {...{ visit, id, plan, seen, changed }} />))
    }
    const done = await visit.ask('accounts.put_catalog', planned, { params, body })
    return done.kind === 'problem' ? showProblem(visit, done) : go(`/console/accounts/${id}?done=catalog`)
  },
}

interface ReviewOptions {
  visit: Visit
  id: string
  plan: Plan
  seen: string
  changed: boolean
}

function Review({ visit, id, plan, seen, changed }: ReviewOptions) {
  const { t } = visit
  const grave = plan.filter(({ irreversible }) => irreversible)
  const question = [t('agreeSure'), ...grave.map(({ api, summary }) => `${api}: ${summary}`)].join('\n')
  return (
    <>
      {changed && (
        <p class="complaint" role="alert">
          {t('planChanged')}
        </p>
      )}
      {grave.length > 0 && (
        <div class="complaint">
          <p>{t('irreversibleHelp')}</p>
          <ul>
            {grave.map(({ api, summary }) => (
              <li key={`${api} ${summary}`}>
                <code>{api}</code> {summary}
              </li>
            ))}
          </ul>
        </div>
      )}
      <h2>{t('plan')}</h2>
      <List
        visit={visit}
        rows={plan}
        columns={[
          { head: t('call'), cell: ({ api }) => <code>{api}</code> },
          { head: t('summary'), cell: ({ summary }) => summary },
          { head: t('irreversible'), cell: ({ irreversible }) => (irreversible ? t('yes') : t('no')) },
        ]}
      />
      <div class="actions">
        {plan.length > 0 && (
          <Button
            visit={visit}
            action={`/console/accounts/${id}/catalog`}
            label={t(grave.length > 0 ? 'agree' : 'sendPlan')}
            fields={{ seen }}
            {...(grave.length > 0 && { look: 'grave', confirm: question })}
          />
        )}
        <a class="button plain" href={`/console/accounts/${id}`}>
          {t('back')}
        </a>
      </div>
    </>
  )
}
