import { openJson, sealJson } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { DeliveryBody, OrderBody, OtherBody } from '../map.js'

const contextOf = (lane: string) => `delivery:${lane}`

/** A body as it lies in its row: sealed with the key of its order, or with the service's own where there is no order. */
export function sealBody(key: Sealer, lane: string, content: DeliveryBody): Buffer {
  return sealJson(key, content.body, contextOf(lane))
}

/** The body of a delivery of an order. */
export function openBody(key: Sealer, lane: string, api: string, sealed: Buffer): OrderBody {
  // Only sealBody writes these rows, so the body has the shape that its api asks for.
  return { api, body: openJson(key, sealed, contextOf(lane)) } as OrderBody
}

/** The body of a delivery that belongs to no order. */
export function openOtherBody(sealer: Sealer, lane: string, api: string, sealed: Buffer): OtherBody {
  // As above.
  return { api, body: openJson(sealer, sealed, contextOf(lane)) } as OtherBody
}
