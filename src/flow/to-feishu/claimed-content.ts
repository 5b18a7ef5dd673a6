import { openDataKey } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Logger } from '../../platform/logger.js'
import { type DeliveryBody, type OrderBody, probes } from '../map.js'
import { openBody, openOtherBody } from '../outbox/bodies.js'
import type { Bucket } from '../outbox/buckets.js'
import type { Claim } from '../outbox/claim.js'
import type { FeishuApi } from './apis.js'
import type { FeishuRequest } from './client.js'

/** Whether a key opens what is to be sent; what was opened is kept in `opened`. */
export function isOpenable(
  claim: Claim,
  { sealer, log }: { sealer: Sealer; log: Logger },
  opened: WeakMap<Claim, DeliveryBody>,
): boolean {
  try {
    if (!opened.has(claim)) opened.set(claim, openContent(claim, sealer))
    return true
  } catch (failure) {
    log.error({ event: 'feishu.cannot_open', delivery_id: claim.id, err: failure }, 'a delivery cannot be opened')
    return false
  }
}

export function openContent(claim: Claim, sealer: Sealer): DeliveryBody {
  const { backgroundCheckId, lane, api, bodySealed } = claim
  if (backgroundCheckId !== null) return openOrderContent(claim, sealer)
  if (bodySealed === null) throw lacking(lane, { body: bodySealed })
  return openOtherBody(sealer, lane, api, bodySealed)
}

export function openOrderContent(
  { backgroundCheckId, dataKey, lane, api, bodySealed }: Claim,
  sealer: Sealer,
): OrderBody {
  if (backgroundCheckId === null || dataKey === null || bodySealed === null) {
    throw lacking(lane, {
      'background check id': backgroundCheckId,
      'data key of the order': dataKey,
      body: bodySealed,
    })
  }
  return openBody(openDataKey(sealer, backgroundCheckId, dataKey), lane, api, bodySealed)
}

function lacking(lane: string, parts: Record<string, unknown>): Error {
  const missing = Object.keys(parts).filter((name) => parts[name] === null)
  return new Error(`${lane}: nothing to send: the delivery has no ${missing.join(' and no ')}`)
}

/** What lies in the bucket of another method is sent by that one: the same set, to ask whether it is there. */
export function requestOf(bucket: Bucket, { api, body }: DeliveryBody): FeishuRequest {
  if ('tripartite_agreement_id' in body) {
    const { tripartite_agreement_id: id, ...rest } = body
    return { api, path: { id }, ...(api === 'tripartite_agreements.update' && { body: rest }) }
  }
  const probe: FeishuApi | undefined = bucket.api === api ? undefined : probes[api]
  return { api: probe ?? api, body: { ...body } }
}
