import { randomUUID } from 'node:crypto'
import type { Database } from '../../platform/database/database.js'
import type { OrderBody } from '../map.js'
import { bucketOf } from '../outbox/buckets.js'
import type { Bucket } from '../outbox/claim.js'
import type { FeishuClient } from './client.js'
import { isFresh, type KnownUse, type Limiter, type RateWindow } from './limiter/limiter.js'
import type { FeishuReply } from './reply.js'
import { createSlotSource } from './slots.js'

/**
 * Whether Feishu has what an attempt without an answer may have brought (contract §3.11 rule 1). `unreadable`: this app
 * may not read orders, or does not see the one it was given, so rule 2 holds. `no_answer` says nothing, `no_slot` that
 * nobody was asked.
 */
export type Seen = 'found' | 'absent' | 'unreadable' | 'no_answer' | 'token_refused' | 'no_slot'

export interface LookUps {
  /** False once it is known that orders cannot be read there; asked anew every hour. */
  mayLook(appId: string, tenantKey: string): boolean
  look(bucket: Bucket, content: OrderBody, backgroundCheckId: string, token: string): Promise<Seen>
}

export interface LookUpOptions {
  database: Database
  limiter: Limiter
  clientOf: (appId: string) => FeishuClient
  windows: readonly RateWindow[]
  timeoutMs: number
}

const api = 'background_check_orders.batch_query'
const unreadableForMs = 3_600_000
/** A missing scope (contract §4.3), and a refusal of the query as such (§3.8). */
const unreadableCodes = new Set([99991672, 1002002])
/** Contract §4.3. */
const refusedTokenCodes = new Set([99991661, 99991663, 99991664, 99991665, 99991668, 99991671])

export function createLookUps(options: LookUpOptions): LookUps {
  const { database, limiter, clientOf, windows, timeoutMs } = options
  const unreadable = new Map<string, number>()
  const slots = createSlotSource({
    database,
    limiter,
    windowsOf: () => windows,
    timeoutMs,
    usesOf: usesOfReads(timeoutMs),
  })

  const ask = async (bucket: Bucket, id: string, token: string): Promise<FeishuReply | null> => {
    const { appId, tenantKey } = bucket
    const reads = { appId, tenantKey, api, ...(await bucketOf(database.pool, appId, tenantKey, api)) }
    const [slot] = (await slots.take(reads, [{ id: randomUUID(), fence: 0 }])).slots
    if (slot === undefined) return null
    const mayWrite = () => isFresh(slot, performance.now())
    const request = { api, body: { background_check_order_id_list: [id] }, query: { page_size: 10 } } as const
    const reply = await clientOf(appId).call(request, { token, signal: new AbortController().signal, mayWrite })
    const answeredAt = performance.now()
    if (reply.kind === 'answer') {
      await limiter.giveBack([{ slot, used: true, answeredMsAgo: performance.now() - answeredAt }])
    } else if (reply.kind !== 'lost') {
      await limiter.giveBack([{ slot, used: false }])
    }
    return reply
  }

  return {
    mayLook: (appId, tenantKey) => (unreadable.get(`${appId}/${tenantKey}`) ?? 0) < performance.now(),
    look: async (bucket, content, backgroundCheckId, token) => {
      const reply = await ask(bucket, backgroundCheckId, token)
      const seen = reply === null ? 'no_slot' : readSeen(reply, content, backgroundCheckId)
      if (seen === 'unreadable')
        unreadable.set(`${bucket.appId}/${bucket.tenantKey}`, performance.now() + unreadableForMs)
      return seen
    },
  }
}

/** Reads leave no rows: after a loss the bucket counts as full of calls that could still arrive, but the first time. */
function usesOfReads(timeoutMs: number) {
  const slackMs = 5000
  return async (
    _bucket: Bucket,
    windows: readonly RateWindow[],
    _but: readonly string[],
    before: string,
  ): Promise<KnownUse[]> => {
    if (before === '') return []
    const most = Math.max(...windows.map((window) => window.limit))
    return Array.from({ length: most }, (_, index) => ({ name: `lost-${index}`, arrivesWithinMs: timeoutMs + slackMs }))
  }
}

/** What an answer of batch_query says about one delivery: pure. Unknown fields are ignored. */
export function readSeen(reply: FeishuReply, content: OrderBody, backgroundCheckId: string): Seen {
  if (reply.kind === 'withdrawn') return 'no_slot'
  if (reply.kind !== 'answer') return 'no_answer'
  if (unreadableCodes.has(reply.code)) return 'unreadable'
  if (refusedTokenCodes.has(reply.code)) return 'token_refused'
  if (reply.code !== 0) return 'no_answer'
  const order = itemsOf(reply.data).find((item) => item['order_id'] === backgroundCheckId)
  // An order that we were given and that the list does not have: the list is not ours, or its ids are others.
  if (order === undefined) return 'unreadable'
  return has(order, content) ? 'found' : 'absent'
}

type Item = Record<string, unknown>

const completed = 3
const terminated = 4
const finalReport = 2

function has(order: Item, { api: of, body }: OrderBody): boolean {
  if (of === 'cancel') return Number(order['order_status']) === terminated
  if (of === 'update_result') return Number(order['order_status']) === completed || hasResult(order)
  const stages = listOf(order['process_info_list'])
  return stages.some(
    (stage) => stage['process'] === body.stage_name && String(stage['update_time']) === body.stage_time,
  )
}

function hasResult(order: Item): boolean {
  const final = listOf(order['feedback_info_list']).some((feedback) => Number(feedback['report_type']) === finalReport)
  return final || (typeof order['conclusion'] === 'string' && order['conclusion'] !== '')
}

function itemsOf(data: unknown): Item[] {
  return isItem(data) ? listOf(data['items']) : []
}

function listOf(value: unknown): Item[] {
  return Array.isArray(value) ? value.filter(isItem) : []
}

function isItem(value: unknown): value is Item {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
