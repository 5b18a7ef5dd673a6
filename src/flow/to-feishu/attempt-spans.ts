import { failSpan, inSpan } from '../../platform/tracing/spans.js'
import type { Bucket } from '../outbox/buckets.js'
import type { Claim } from '../outbox/claim.js'
import type { Attempts } from './attempt.js'
import type { FeishuReply } from './reply.js'

/** The spans of an attempt: it goes on with the trace of its order; what belongs to no order has one of its own. */
export function traceAttempts(bucket: Bucket, attempts: Attempts): Attempts {
  const facts = (claim: Claim) => ({
    kind: 'consumer' as const,
    parent: claim.traceParent ?? null,
    attributes: attributesOf(bucket, claim),
  })
  return {
    ...attempts,
    send: (claim, ...how) =>
      inSpan(`deliver ${claim.api}`, facts(claim), async (span) => {
        const aside = await attempts.send(claim, ...how)
        if (aside.kind !== 'none') span.setAttribute('bgc.aside', aside.kind)
        return aside
      }),
    look: (claim, token) => inSpan(`look for ${claim.api}`, facts(claim), () => attempts.look(claim, token)),
  }
}

/** Feishu gets no traceparent: it has no part in our traces. */
export function traceCall(api: string, call: () => Promise<FeishuReply>): Promise<FeishuReply> {
  return inSpan(`feishu ${api}`, { kind: 'client' }, async (span) => {
    const reply = await call()
    span.setAttribute('bgc.reply', reply.kind)
    if ('httpStatus' in reply) span.setAttribute('http.response.status_code', reply.httpStatus)
    if (reply.kind === 'answer') span.setAttribute('bgc.code', reply.code)
    if (reply.kind !== 'answer') failSpan(span, reply.kind)
    else if (reply.code !== 0) failSpan(span, String(reply.code))
    return reply
  })
}

function attributesOf(bucket: Bucket, claim: Claim) {
  return {
    'bgc.app_id': bucket.appId,
    'bgc.tenant_key': bucket.tenantKey,
    'bgc.delivery_id': claim.id,
    'bgc.attempt': claim.attempts + 1,
    ...(claim.backgroundCheckId !== null && { 'bgc.background_check_id': claim.backgroundCheckId }),
  }
}
