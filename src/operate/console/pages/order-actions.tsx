import type { z } from 'zod'
import { lastResult } from '../../../flow/orders/again.js'
import { noMore, noResult } from '../../../flow/outbox/takes-no-more.js'
import { allows } from '../../api/ask.js'
import { order, type wholeOrder } from '../../api/order-shape.js'
import { personalData } from '../../api/personal-data.js'
import { renderVisit } from '../layout.js'
import { type Action, go, html } from '../page.js'
import { Button, Json } from '../parts.js'
import type { Visit } from '../visit.js'
import { showProblem } from './problem.js'

type WholeOrder = z.output<typeof wholeOrder>

/** What its key may do with an order in this state, and the API would take. */
export function Actions({ visit, order: shown }: { visit: Visit; order: WholeOrder }) {
  const { t, session } = visit
  const id = shown.background_check_id
  const at = (action: string) => `/console/orders/${id}/${action}`
  const open = !['completed', 'canceled', 'failed'].includes(shown.state)
  const isErased = shown.erased_at !== undefined
  const may = (operation: string) => allows(session.key, operation)
  return (
    <>
      <h2>{t('actions')}</h2>
      <div class="actions">
        {may('orders.poll') && open && <Button visit={visit} action={at('poll')} label={t('pollNow')} />}
        {may('orders.retry') && shown.state === 'failed' && !isErased && (
          <Button visit={visit} action={at('retry')} label={t('placeAgain')} confirm={t('sure')} />
        )}
        {may('orders.resend_result') && hasResult(shown) && (
          <Button
            visit={visit}
            action={at('resend-result')}
            label={t('resendResult')}
            look="plain"
            confirm={t('sure')}
          />
        )}
        {may('orders.export') && !isErased && (
          <Button visit={visit} action={at('personal-data')} label={t('showPersonal')} look="plain" />
        )}
      </div>
      {may('orders.cancel') && !noMore.includes(shown.state) && !isErased && (
        <details>
          <summary>{t('stopCheck')}</summary>
          <p class="hint">{t('stopHelp')}</p>
          <Button visit={visit} action={at('cancel')} label={t('stopCheck')} look="grave" confirm={t('stopSure')}>
            <label for="stage_name">{t('lastStage')}</label>
            <input id="stage_name" name="stage_name" type="text" maxLength={100} autocomplete="off" />
            <label for="reason">{t('reasonForVendor')}</label>
            <textarea id="reason" name="reason" maxLength={1000} />
          </Button>
        </details>
      )}
      {may('orders.erase') && !isErased && (
        <details>
          <summary>{t('erasePersonal')}</summary>
          <p class="hint">{open ? t('eraseOpenHelp') : t('eraseHelp')}</p>
          <Button
            visit={visit}
            action={at('erase')}
            label={open ? t('eraseAndEnd') : t('erasePersonal')}
            look="grave"
            confirm={t('eraseSure')}
            fields={open ? { force: 'true' } : {}}
          />
        </details>
      )}
    </>
  )
}

/** A result that can be sent again. Whether one that waits had an attempt changes only why it cannot. */
function hasResult({ state, erased_at: erasedAt, deliveries }: WholeOrder): boolean {
  if (noResult.includes(state) || erasedAt !== undefined) return false
  const seen = deliveries.map((each) => ({
    content: { api: each.api },
    state: each.state,
    attempted: each.attempts > 0,
  }))
  return lastResult(seen).kind === 'found'
}

const simple = (name: string, operation: string): Action => ({
  path: `/orders/:id/${name}`,
  run: async (visit, { id = '' }) => {
    const done = await visit.ask(operation, order, { params: { background_check_id: id } })
    return done.kind === 'problem' ? showProblem(visit, done) : go(`/console/orders/${id}?done=${name}`)
  },
})

const cancel: Action = {
  path: '/orders/:id/cancel',
  run: async (visit, { id = '' }, form) => {
    const body = {
      ...(form['stage_name'] && { stage_name: form['stage_name'] }),
      ...(form['reason'] && { reason: form['reason'] }),
    }
    const done = await visit.ask('orders.cancel', order, { params: { background_check_id: id }, body })
    return done.kind === 'problem' ? showProblem(visit, done) : go(`/console/orders/${id}?done=cancel`)
  },
}

const erase: Action = {
  path: '/orders/:id/erase',
  run: async (visit, { id = '' }, form) => {
    const query = form['force'] === 'true' ? { force: 'true' } : {}
    const done = await visit.ask('orders.erase', order, { params: { background_check_id: id }, query })
    return done.kind === 'problem' ? showProblem(visit, done) : go(`/console/orders/${id}?done=erase`)
  },
}

/** A form and not a link: nothing that fetches ahead may look, since each look is audited. */
const personal: Action = {
  path: '/orders/:id/personal-data',
  run: async (visit, { id = '' }) => {
    const found = await visit.ask('orders.export', personalData, { params: { background_check_id: id } })
    if (found.kind === 'problem') return showProblem(visit, found)
    const shown = (
      <>
        <p class="hint">{visit.t('audited')}</p>
        <Json value={found.body} />
        <p>
          <a href={`/console/orders/${id}`}>{visit.t('back')}</a>
        </p>
      </>
    )
    return html(renderVisit(visit, visit.t('personalTitle', { id }), shown))
  },
}

const resendStage: Action = {
  path: '/orders/:id/resend-stage',
  run: async (visit, { id = '' }, form) => {
    const params = { background_check_id: id, stage_id: form['stage_id'] ?? '' }
    const done = await visit.ask('orders.resend_stage', order, { params })
    return done.kind === 'problem' ? showProblem(visit, done) : go(`/console/orders/${id}?done=resend-stage`)
  },
}

export const orderActions: readonly Action[] = [
  simple('poll', 'orders.poll'),
  simple('retry', 'orders.retry'),
  simple('resend-result', 'orders.resend_result'),
  resendStage,
  cancel,
  erase,
  personal,
]
