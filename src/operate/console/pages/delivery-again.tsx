import { z } from 'zod'
import { noMore } from '../../../flow/outbox/takes-no-more.js'
import { allows } from '../../api/ask.js'
import type { Delivery } from '../../api/delivery-shape.js'
import { type Order, order } from '../../api/order-shape.js'
import { namedIn } from '../explain.js'
import { Button } from '../parts.js'
import type { Visit } from '../visit.js'

/** What of a delivery can be sent again: no button that the API would refuse for the state of its order. */

interface Props {
  visit: Visit
  shown: Delivery
  /** That it belongs to; `null` for none. */
  order: Order | null
}

/** Asked only where the answer decides about a button. */
export async function orderOf({ ask }: Visit, shown: Delivery): Promise<Order | null> {
  const { background_check_id: id, state } = shown
  if (id === undefined || (state !== 'dead' && state !== 'delivered')) return null
  const found = await ask('orders.read', order, { params: { background_check_id: id } })
  return found.kind === 'ok' ? found.body : null
}

export function DeadAgain({ visit, shown, order: of }: Props) {
  const { t, session } = visit
  if (shown.state !== 'dead') return null
  if (of?.erased_at !== undefined) return <p class="hint">{t('nothingLeft')}</p>
  if (of !== null && noMore.includes(of.state)) {
    return <p class="hint">{t('takesNoMore', { state: namedIn(visit)(of.state) })}</p>
  }
  if (!allows(session.key, 'deliveries.retry')) return null
  return <Button visit={visit} action={`/console/deliveries/${shown.id}/retry`} label={t('sendAgain')} />
}

const withStage = z.object({ stage_id: z.string() })

export function StageAgain({ visit, shown, order: of }: Props) {
  const stage = withStage.safeParse(shown.request)
  const isSent = shown.state === 'delivered' && shown.api === 'update_progress' && stage.success
  if (!isSent || of === null || noMore.includes(of.state)) return null
  if (!allows(visit.session.key, 'orders.resend_stage')) return null
  return (
    <Button
      visit={visit}
      action={`/console/orders/${of.background_check_id}/resend-stage`}
      fields={{ stage_id: stage.data.stage_id }}
      label={visit.t('resendStage')}
      look="plain"
      confirm={visit.t('sure')}
    />
  )
}
