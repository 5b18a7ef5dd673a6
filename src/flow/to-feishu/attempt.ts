import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database } from '../../platform/database/database.js'
import { isFresh, type Slot, type SlotReturn } from '../../platform/limiter/limiter.js'
import type { Logger } from '../../platform/logger.js'
import { inSpan } from '../../platform/tracing/spans.js'
import type { DeliveryBody } from '../map.js'
import type { Bucket } from '../outbox/buckets.js'
import type { Claim } from '../outbox/claim.js'
import type { Settlement } from '../outbox/settlement.js'
import { adopt } from './adopt.js'
import { traceCall } from './attempt-spans.js'
import { isOpenable, openContent, openOrderContent, requestOf } from './claimed-content.js'
import type { FeishuClient } from './client.js'
import { type Aside, type Decision, decide, type RetryTerms } from './decide.js'
import { hold } from './holds.js'
import { claimIds } from './log-ids.js'
import { afterLook, lookFirst } from './look-first.js'
import type { LookUps } from './look-up.js'
import type { FeishuReads } from './reads.js'
import type { FeishuReply } from './reply.js'
import type { SlotSource } from './slots.js'
import { isKnownByName } from './stage-by-name.js'
import type { Tokens } from './tokens.js'

export interface AttemptOptions {
  database: Database
  sealer: Sealer
  log: Logger
  tokens: Tokens
  slots: SlotSource
  reads: FeishuReads
  lookUps: LookUps
  /** After an attempt whose outcome is not known, Feishu is asked after so many ms each, then it is sent again. */
  lookAfterMs: readonly number[]
  clientOf: (appId: string) => FeishuClient
  /** Puts links of ours into what leaves, new ones at each attempt; what was opened stays as it is. */
  linkReports?: <Content extends DeliveryBody>(claim: Claim, content: Content) => Content
  timeoutMs: number
  /** A call may begin so long after its claim, and the claim outlives the call's timeout by as much. */
  claimSlackMs: number
  retry: RetryTerms
  settle: (settlement: Settlement) => Promise<void>
  /** Soon; nothing waits for it. */
  giveBack: (back: SlotReturn) => void
  onAttempt?: (attempt: AttemptFacts) => void
  random: () => number
}

export interface AttemptFacts {
  api: string
  outcome: string
  elapsedMs: number
}

/** One claim at a time: called, decided, written down. */
export interface Attempts {
  send(claim: Claim, slot: Slot, token: string, slowDowns: number): Promise<Aside>
  /** Whether a key opens what is to be sent; what was opened is kept for the call. */
  canOpen(claim: Claim): boolean
  /** An earlier attempt may have taken effect and Feishu can be asked: that comes before sending again. */
  wantsLook(claim: Claim): boolean
  look(claim: Claim, token: string): Promise<void>
}

export function createAttempts(bucket: Bucket, options: AttemptOptions): Attempts {
  const { lookUps, lookAfterMs } = options
  const opened = new WeakMap<Claim, DeliveryBody>()
  // A list that shows a result does not say which: of one that is sent again it tells nothing.
  const mayLook = (claim: Claim) =>
    claim.backgroundCheckId !== null &&
    !claim.again &&
    lookAfterMs.length > 0 &&
    lookUps.mayLook(bucket.appId, bucket.tenantKey)
  return {
    send: async (claim, slot, token, slowDowns) => {
      const started = performance.now()
      const content = opened.get(claim) ?? openContent(claim, options.sealer)
      opened.delete(claim)
      const reply = await call(bucket, options, claim, content, slot, token)
      const answeredAt = performance.now()
      const isProbe = claim.api !== bucket.api
      const decided = decide(claim, reply, options.retry, slowDowns, options.random(), isProbe)
      const decision = mayLook(claim) ? lookFirst(decided, lookAfterMs[0] ?? 0) : decided
      report(bucket, options, claim, reply, decision, answeredAt - started)
      giveBack(options, slot, reply, answeredAt)
      await doAside(bucket, options, decision, token).catch((failure: unknown) => {
        // The answer is known and must be kept: it is settled all the same, and the bucket rests by its row.
        options.log.warn(
          { event: 'feishu.aside_failed', ...claimIds(bucket, claim), err: failure },
          'a step aside failed',
        )
      })
      const called = reply.kind === 'answer' || reply.kind === 'lost'
      const callMsAgo = called ? performance.now() - answeredAt : null
      const adopted = decision.aside.kind === 'adopt' ? await adoptAgreement(bucket, options, claim, token) : null
      const settled = adopted ?? { ...decision.settled, lastError: decision.lastError }
      const { appId, tenantKey, api } = bucket
      const made = { appId, tenantKey, api, limited: decision.aside.kind === 'slow_down' }
      await inSpan('settle', {}, () => options.settle({ ...idsOf(claim), ...settled, callMsAgo, call: made }))
      return decision.aside
    },
    canOpen: (claim) => isOpenable(claim, options, opened),
    wantsLook: (claim) => claim.ambiguous && claim.looks < lookAfterMs.length && mayLook(claim),
    look: async (claim, token) => {
      const content = openOrderContent(claim, options.sealer)
      const byName = await isKnownByName(options.database.pool, options.sealer, claim, content)
      const seen = await lookUps.look(bucket, content, content.body.background_check_id, token, byName)
      const line = { event: 'feishu.look', ...claimIds(bucket, claim), look: claim.looks + 1, seen }
      options.log.info(line, 'looked whether an attempt took effect')
      if (seen === 'token_refused') await evict(bucket, options, token)
      await options.settle({ ...idsOf(claim), callMsAgo: null, ...afterLook(seen, claim, lookAfterMs, options.retry) })
    },
  }
}

async function call(
  bucket: Bucket,
  options: AttemptOptions,
  claim: Claim,
  content: DeliveryBody,
  slot: Slot,
  token: string,
): Promise<FeishuReply> {
  // A claim that is over may be somebody else's: what is written later than this could end after its lease.
  const mayWrite = () => isFresh(slot, performance.now()) && performance.now() < claim.claimedAt + options.claimSlackMs
  // No signal: a call that began is not broken off by a stop, it ends by its timeout and settles.
  const client = options.clientOf(bucket.appId)
  const leaving = options.linkReports?.(claim, content) ?? content
  return traceCall(bucket.api, () => client.call(requestOf(bucket, leaving), { token, mayWrite }))
}

/** The agreement is there: reading its id, with a call of its own, is what was asked for. `null`: not read, try again. */
async function adoptAgreement(bucket: Bucket, options: AttemptOptions, claim: Claim, token: string) {
  const { api, body } = openContent(claim, options.sealer)
  if (api !== 'tripartite_agreements.create') return null
  const id = await adopt(options.reads, bucket, body.application_id, token)
  if (id === null) return null
  return { to: 'delivered', confirmed: true, heldForApproval: false, answer: { id }, lastError: null } as const
}

/** A call without an answer keeps its slot until it cannot arrive any more. */
function giveBack(options: AttemptOptions, slot: Slot, reply: FeishuReply, answeredAt: number): void {
  if (reply.kind === 'lost' && reply.httpStatus === undefined) return
  const unused = reply.kind === 'not_sent' || reply.kind === 'withdrawn'
  const used = { slot, used: true, answeredMsAgo: performance.now() - answeredAt } as const
  options.giveBack(unused ? { slot, used: false } : used)
}

async function evict(bucket: Bucket, { tokens, log }: AttemptOptions, token: string): Promise<void> {
  await tokens.evict(bucket.appId, bucket.tenantKey, token, { alsoAppToken: false }).catch((failure: unknown) => {
    // The next call with it is refused again, and evicts it then.
    log.warn(
      { event: 'feishu.evict_failed', app_id: bucket.appId, tenant_key: bucket.tenantKey, err: failure },
      'a token stays',
    )
  })
}

async function doAside(bucket: Bucket, options: AttemptOptions, { aside }: Decision, token: string): Promise<void> {
  const { appId, tenantKey } = bucket
  if (aside.kind === 'evict_token')
    await options.tokens.evict(appId, tenantKey, token, { alsoAppToken: aside.alsoAppToken })
  if (aside.kind === 'slow_down') await options.slots.close(bucket, aside.resetMs)
  if (aside.kind === 'hold') await hold(options.database.pool, bucket, aside)
}

function report(
  bucket: Bucket,
  { log, onAttempt }: AttemptOptions,
  claim: Claim,
  reply: FeishuReply,
  { settled, lastError, aside }: Decision,
  elapsedMs: number,
): void {
  onAttempt?.({ api: claim.api, outcome: aside.kind === 'none' ? settled.to : aside.kind, elapsedMs })
  log[settled.to === 'delivered' ? 'info' : 'warn'](
    {
      event: 'feishu.attempt',
      ...claimIds(bucket, claim),
      attempt: claim.attempts + 1,
      reply: reply.kind,
      settled: settled.to,
      ...lastError,
      elapsed_ms: Math.round(elapsedMs),
    },
    `${claim.api}: ${settled.to === 'pending' ? (lastError?.reason ?? 'again') : settled.to}`,
  )
}

export function idsOf({ id, fence, lane, backgroundCheckId }: Claim) {
  return { id, fence, lane, backgroundCheckId }
}
