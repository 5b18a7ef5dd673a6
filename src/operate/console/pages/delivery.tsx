import { type Delivery, delivery } from '../../api/delivery-shape.js'
import { LastError, Named, State } from '../explain.js'
import { renderVisit } from '../layout.js'
import { type Action, go, html, type Page } from '../page.js'
import { Button, Facts, Id, Json, Live, Time } from '../parts.js'
import { said } from '../said.js'
import type { Visit } from '../visit.js'
import { DeadAgain, orderOf, StageAgain } from './delivery-again.js'
import { Notice } from './notice.js'
import { showProblem } from './problem.js'

export const deliveryPage: Page = {
  path: '/deliveries/:id',
  show: async (visit, { id = '' }) => {
    const found = await visit.ask('deliveries.read', delivery, { params: { id } })
    return found.kind === 'problem' ? showProblem(visit, found) : html(await renderDelivery(visit, found.body, false))
  },
}

async function renderDelivery(visit: Visit, shown: Delivery, revealed: boolean): Promise<string> {
  const of = await orderOf(visit, shown)
  const { t, session } = visit
  const at = (action: string) => `/console/deliveries/${shown.id}/${action}`
  const { background_check_id: check, hold } = shown
  const content = (
    <>
      <p>
        <State visit={visit} name={shown.state} />
      </p>
      <Facts
        rows={[
          [t('call'), <code>{shown.api}</code>],
          [t('order'), check === undefined ? '–' : <Id href={`/console/orders/${check}`}>{check}</Id>],
          [t('tenant'), <Id>{shown.tenant_key}</Id>],
          [t('class'), shown.class === undefined ? '–' : <Named visit={visit} name={shown.class} />],
          [t('attempts'), shown.attempts],
          [t('confirmed'), t(shown.confirmed ? 'yes' : 'no')],
          [t('lastError'), <LastError visit={visit} value={shown.last_error} />],
          [t('created'), <Time visit={visit} at={shown.created_at} />],
          [t('nextAttempt'), <Time visit={visit} at={shown.next_attempt_at} />],
          [t('deliveredAt'), <Time visit={visit} at={shown.delivered_at} />],
          [
            t('waitsFor'),
            hold === undefined ? (
              '–'
            ) : (
              <>
                <Named visit={visit} name={hold.scope} />: {said(hold.reason, visit.language)}
              </>
            ),
          ],
        ]}
      />
      <h2>{t('request')}</h2>
      {revealed && <p class="hint">{t('audited')}</p>}
      <Json value={shown.request} />
      <div class="actions">
        <DeadAgain visit={visit} shown={shown} order={of} />
        {!revealed && session.key.scopes.includes('reveal') && shown.request !== null && (
          <Button visit={visit} action={at('reveal')} label={t('reveal')} look="plain" />
        )}
        <StageAgain visit={visit} shown={shown} order={of} />
      </div>
    </>
  )
  return renderVisit(
    visit,
    t('deliveryTitle', { id: shown.id }),
    <>
      <Notice visit={visit} />
      {revealed ? (
        content
      ) : (
        <Live visit={visit} id="delivery">
          {content}
        </Live>
      )}
    </>,
  )
}

const reveal: Action = {
  path: '/deliveries/:id/reveal',
  run: async (visit, { id = '' }) => {
    const found = await visit.ask('deliveries.read', delivery, { params: { id }, query: { reveal: 'true' } })
    return found.kind === 'problem' ? showProblem(visit, found) : html(await renderDelivery(visit, found.body, true))
  },
}

const retry: Action = {
  path: '/deliveries/:id/retry',
  run: async (visit, { id = '' }) => {
    const done = await visit.ask('deliveries.retry', delivery, { params: { id } })
    return done.kind === 'problem' ? showProblem(visit, done) : go(`/console/deliveries/${id}?done=retry-delivery`)
  },
}

export const oneDeliveryActions: readonly Action[] = [reveal, retry]
