import type { Database } from '../../platform/database/database.js'
import type { Logger } from '../../platform/logger.js'
import type { Bucket } from '../outbox/buckets.js'
import { hold } from './holds.js'
import { bucketIds } from './log-ids.js'
import type { Tokens } from './tokens.js'

interface BucketTokenOptions {
  database: Database
  tokens: Tokens
  log: Logger
}

/** `none`: nothing can be sent; `reason` is ours, without foreign text, and the bucket has to rest for `restMs`. */
export type BucketToken = { kind: 'token'; token: string } | { kind: 'none'; reason: string; restMs: number }

const shortestRestMs = 100

/**
 * The token that a bucket's calls carry. Without one, and if a person must act, the tenant or app is parked. Rejects only
 * when PostgreSQL or the store of tokens does.
 */
export async function tokenOf(bucket: Bucket, { database, tokens, log }: BucketTokenOptions): Promise<BucketToken> {
  const answer = await tokens.tenantToken(bucket.appId, bucket.tenantKey)
  if (answer.kind === 'token') return answer
  const { class: scope, code, reason, retryInMs } = answer
  if (scope === 'app' || scope === 'tenant') await hold(database.pool, bucket, { scope, code, reason })
  log.warn({ event: 'feishu.no_token', ...bucketIds(bucket), code, class: scope, reason }, 'no token')
  return { kind: 'none', reason, restMs: Math.max(shortestRestMs, retryInMs) }
}

/** The first token of a tenant takes several trips, and no call should wait for its place meanwhile. Never rejects. */
export async function askAhead(bucket: Bucket, { tokens, log }: BucketTokenOptions): Promise<void> {
  await tokens.tenantToken(bucket.appId, bucket.tenantKey).catch((failure: unknown) => {
    // It is asked for again, and its absence handled, when there are claims.
    log.debug({ event: 'pump.no_token_yet', ...bucketIds(bucket), err: failure }, 'no token yet')
  })
}
