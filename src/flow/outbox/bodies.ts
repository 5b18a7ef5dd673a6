import { openJson, sealJson } from '../../platform/crypto/data-key.js'
import { SealError, type Sealer } from '../../platform/crypto/sealer.js'
import type { DeliveryBody, OrderBody, OtherBody } from '../map.js'

export const bodyContext = (lane: string): string => `delivery:${lane}`

/** Lies next to the members of the body, and is not sent. */
const earlier = 'earlier_times'
type SealedBody = OrderBody['body'] & { [earlier]?: readonly string[] }

/** A body as it lies in its row: sealed with the key of its order, or with the service's own where there is no order. */
export function sealBody(key: Sealer, lane: string, content: DeliveryBody): Buffer {
  const earlierTimes = 'earlierTimes' in content ? content.earlierTimes : undefined
  return sealJson(key, { ...content.body, ...(earlierTimes && { [earlier]: earlierTimes }) }, bodyContext(lane))
}

/** The body of a delivery of an order. */
export function openBody(key: Sealer, lane: string, api: string, sealed: Buffer): OrderBody {
  // Only sealBody writes these rows, so the body has the shape that its api asks for.
  const { [earlier]: earlierTimes, ...body } = openJson(key, sealed, bodyContext(lane)) as SealedBody
  return { api, body, ...(earlierTimes && { earlierTimes }) } as OrderBody
}

/** The body of a delivery that belongs to no order. */
export function openOtherBody(sealer: Sealer, lane: string, api: string, sealed: Buffer): OtherBody {
  // As above.
  return { api, body: openJson(sealer, sealed, bodyContext(lane)) } as OtherBody
}

/** As `openOtherBody`; `null` where no key opens it. */
export function tryToOpenOther(sealer: Sealer, lane: string, api: string, sealed: Buffer): OtherBody | null {
  try {
    return openOtherBody(sealer, lane, api, sealed)
  } catch (failure) {
    if (failure instanceof SealError) return null
    throw failure
  }
}
