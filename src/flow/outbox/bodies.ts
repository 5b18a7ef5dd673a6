import { openJson, sealJson } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { OrderBody } from '../map.js'

const contextOf = (lane: string) => `delivery:${lane}`

/** A body as it lies in its row: sealed with the key of what it is about. */
export function sealBody(key: Sealer, lane: string, content: OrderBody): Buffer {
  return sealJson(key, content.body, contextOf(lane))
}

export function openBody(key: Sealer, lane: string, api: string, sealed: Buffer): OrderBody {
  // Only sealBody writes these rows, so the body has the shape that its api asks for.
  return { api, body: openJson(key, sealed, contextOf(lane)) } as OrderBody
}
