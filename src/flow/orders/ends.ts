import type { VendorOrder } from '../vendor/adapter.js'
import type { KnownDelivery } from './known-delivery.js'

/** What ends an order in Feishu. */
export type End = 'update_result' | 'cancel'

/** The end that this answer of the vendor names: pure, as all of this file. */
export function endNamedBy({ status, result }: Pick<VendorOrder, 'status' | 'result'>): End | null {
  if (status === 'canceled') return 'cancel'
  return status === 'completed' && result !== undefined ? 'update_result' : null
}

/** Ends that are dead and surely not taken, and that the vendor names no longer. None while another end closes the order. */
export function endsToDrop(known: readonly KnownDelivery[], named: End | null): KnownDelivery[] {
  const tried = triedEnds(known)
  return tried.every(isRefused) ? tried.filter(({ content }) => content.api !== named) : []
}

/** The last end that Feishu has, or may have, and that the vendor names no longer. */
export function endTakenBack(known: readonly KnownDelivery[], named: End | null): KnownDelivery | undefined {
  return triedEnds(known).findLast((each) => !isRefused(each) && each.content.api !== named)
}

function triedEnds(known: readonly KnownDelivery[]): KnownDelivery[] {
  return known.filter((each) => each.attempted && each.content.api !== 'update_progress' && each.state !== 'superseded')
}

function isRefused({ state, unclear = false }: KnownDelivery): boolean {
  return state === 'dead' && !unclear
}
