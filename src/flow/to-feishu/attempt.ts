import { openDataKey } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { Database } from '../../platform/database/database.js'
import type { Logger } from '../../platform/logger.js'
import { type DeliveryBody, type OrderBody, probes } from '../map.js'
import { openBody, openOtherBody } from '../outbox/bodies.js'
import type { Bucket, Claim } from '../outbox/claim.js'
import type { Settlement } from '../outbox/settle.js'
import { adopt } from './adopt.js'
import type { FeishuApi } from './apis.js'
import type { FeishuClient, FeishuRequest } from './client.js'
import { type Aside, type Decision, decide, type RetryTerms } from './decide.js'
import { hold } from './holds.js'
import { isFresh, type Slot, type SlotReturn } from './limiter/limiter.js'
import type { LookUps, Seen } from './look-up.js'
import type { FeishuReads } from './reads.js'
import type { FeishuReply } from './reply.js'
import type { SlotSource } from './slots.js'
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
      const content = opened.get(claim) ?? bodyOf(claim, options.sealer)
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
          { event: 'feishu.aside_failed', ...idsForLog(bucket, claim), err: failure },
          'a step aside failed',
        )
      })
      const called = reply.kind === 'answer' || reply.kind === 'lost'
      const callMsAgo = called ? performance.now() - answeredAt : null
      const adopted = decision.aside.kind === 'adopt' ? await adoptAgreement(bucket, options, claim, token) : null
      const settled = adopted ?? { ...decision.settled, lastError: decision.lastError }
      await options.settle({ ...idsOf(claim), ...settled, callMsAgo })
      return decision.aside
    },
    canOpen: (claim) => isOpenable(claim, options, opened),
    wantsLook: (claim) => claim.ambiguous && claim.looks < lookAfterMs.length && mayLook(claim),
    look: async (claim, token) => {
      const content = orderBodyOf(claim, options.sealer)
      const seen = await lookUps.look(bucket, content, content.body.background_check_id, token)
      const line = { event: 'feishu.look', ...idsForLog(bucket, claim), look: claim.looks + 1, seen }
      options.log.info(line, 'looked whether an attempt took effect')
      if (seen === 'token_refused') await evict(bucket, options, token)
      await options.settle({ ...idsOf(claim), callMsAgo: null, ...afterLook(seen, claim.looks, lookAfterMs) })
    },
  }
}

/** An attempt whose outcome is not known is looked for before it is repeated. */
function lookFirst(decision: Decision, inMs: number): Decision {
  const { settled } = decision
  return settled.to === 'pending' && settled.ambiguous ? { ...decision, settled: { ...settled, inMs } } : decision
}

const laterMs = 2000

/** What a look means for a delivery: pure. */
function afterLook(
  seen: Seen,
  looks: number,
  afterMs: readonly number[],
): Pick<Settlement, 'lastError'> & Decision['settled'] {
  if (seen === 'found') return { to: 'delivered', confirmed: true, heldForApproval: false, lastError: null }
  const reason = 'no readable answer came; Feishu is asked whether it took effect'
  const pending = { to: 'pending', attempt: 0, ambiguous: false } as const
  if (seen === 'no_slot') return { ...pending, inMs: laterMs, lastError: { reason, looks } }
  const done = seen === 'unreadable' ? afterMs.length : looks + 1
  const inMs = done >= afterMs.length ? 0 : (afterMs[done] ?? 0) - (afterMs[looks] ?? 0)
  return { ...pending, inMs, lastError: { reason, looks: done } }
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
  return options.clientOf(bucket.appId).call(requestOf(bucket, content), { token, mayWrite })
}

/** What lies in the bucket of another method is sent by that one: the same set, to ask whether it is there. */
function requestOf(bucket: Bucket, { api, body }: DeliveryBody): FeishuRequest {
  if ('tripartite_agreement_id' in body) {
    const { tripartite_agreement_id: id, ...rest } = body
    return { api, path: { id }, ...(api === 'tripartite_agreements.update' && { body: rest }) }
  }
  const probe: FeishuApi | undefined = bucket.api === api ? undefined : probes[api]
  return { api: probe ?? api, body: { ...body } }
}

/** The agreement is there: reading its id, with a call of its own, is what was asked for. `null`: not read, try again. */
async function adoptAgreement(bucket: Bucket, options: AttemptOptions, claim: Claim, token: string) {
  const { api, body } = bodyOf(claim, options.sealer)
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
      ...idsForLog(bucket, claim),
      attempt: claim.attempts + 1,
      reply: reply.kind,
      settled: settled.to,
      ...lastError,
      elapsed_ms: Math.round(elapsedMs),
    },
    `${claim.api}: ${settled.to === 'pending' ? (lastError?.reason ?? 'again') : settled.to}`,
  )
}

function idsForLog(bucket: Bucket, claim: Claim) {
  return {
    bucket_id: bucket.id,
    app_id: bucket.appId,
    tenant_key: bucket.tenantKey,
    api: bucket.api,
    delivery_id: claim.id,
    background_check_id: claim.backgroundCheckId,
    stage_id: claim.stageId,
  }
}

function isOpenable(claim: Claim, { sealer, log }: AttemptOptions, opened: WeakMap<Claim, DeliveryBody>): boolean {
  try {
    if (!opened.has(claim)) opened.set(claim, bodyOf(claim, sealer))
    return true
  } catch (failure) {
    log.error({ event: 'feishu.cannot_open', delivery_id: claim.id, err: failure }, 'a delivery cannot be opened')
    return false
  }
}

function bodyOf(claim: Claim, sealer: Sealer): DeliveryBody {
  const { backgroundCheckId, lane, api, bodySealed } = claim
  if (backgroundCheckId !== null) return orderBodyOf(claim, sealer)
  if (bodySealed === null) throw new Error(`${lane}: nothing to send`)
  return openOtherBody(sealer, lane, api, bodySealed)
}

function orderBodyOf({ backgroundCheckId, dataKey, lane, api, bodySealed }: Claim, sealer: Sealer): OrderBody {
  if (backgroundCheckId === null || dataKey === null || bodySealed === null) throw new Error(`${lane}: nothing to send`)
  return openBody(openDataKey(sealer, backgroundCheckId, dataKey), lane, api, bodySealed)
}

export function idsOf({ id, fence, lane, backgroundCheckId }: Claim) {
  return { id, fence, lane, backgroundCheckId }
}
