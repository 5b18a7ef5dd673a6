import type { Bucket } from '../outbox/buckets.js'
import type { Claim } from '../outbox/claim.js'

/** What a log line says of a bucket. */
export function bucketIds({ id, appId, tenantKey, api }: Bucket) {
  return { bucket_id: id, app_id: appId, tenant_key: tenantKey, api }
}

/** What a log line says of a claim in a bucket. */
export function claimIds(bucket: Bucket, { id, backgroundCheckId, stageId }: Claim) {
  return { ...bucketIds(bucket), delivery_id: id, background_check_id: backgroundCheckId, stage_id: stageId }
}
