import type { TextName } from '../languages.js'
import type { Visit } from '../visit.js'

const said: Readonly<Record<string, TextName>> = {
  poll: 'donePoll',
  retry: 'doneRetry',
  'resend-result': 'doneResend',
  'resend-stage': 'doneResend',
  cancel: 'doneCancel',
  erase: 'doneErase',
  'retry-delivery': 'doneRetryDelivery',
  'retry-event': 'doneRetryEvent',
  release: 'doneRelease',
  dismiss: 'doneDismiss',
  bind: 'doneBind',
  catalog: 'doneCatalog',
  sweep: 'doneSweep',
}

/** What the button before did, after the browser was sent back to the page. */
export function Notice({ visit }: { visit: Visit }) {
  const name = said[visit.query.get('done') ?? '']
  if (name === undefined) return null
  return (
    <p class="notice" role="status">
      {visit.t(name)}
    </p>
  )
}
