import type { OrderBody } from '../map.js'
import type { Bucket } from '../outbox/claim.js'
import { isInFeishu, readOrderPage, unreadableCodes } from './order-reads.js'
import { type Asked, type FeishuReads, refusedTokenCodes } from './reads.js'

/**
 * Whether Feishu has what an attempt without an answer may have brought (contract §3.11 rule 1). `unreadable`: this app
 * may not read orders, or does not see the one it was given, so rule 2 holds. `no_answer` says nothing, `no_slot` that
 * nobody was asked.
 */
export type Seen = 'found' | 'absent' | 'unreadable' | 'no_answer' | 'token_refused' | 'no_slot'

export interface LookUps {
  /** False once it is known that orders cannot be read there; asked anew every hour. */
  mayLook(appId: string, tenantKey: string): boolean
  /** `byName`: a stage counts by its name alone. */
  look(bucket: Bucket, content: OrderBody, backgroundCheckId: string, token: string, byName?: boolean): Promise<Seen>
}

const unreadableForMs = 3_600_000

export function createLookUps(reads: FeishuReads): LookUps {
  const unreadable = new Map<string, number>()
  return {
    mayLook: (appId, tenantKey) => (unreadable.get(`${appId}/${tenantKey}`) ?? 0) < performance.now(),
    look: async ({ appId, tenantKey }, content, backgroundCheckId, token, byName = false) => {
      const body = { background_check_order_id_list: [backgroundCheckId] }
      const question = { api: 'background_check_orders.batch_query', body, query: { page_size: 10 } } as const
      const seen = readSeen(await reads.askWith(token, appId, tenantKey, question), content, backgroundCheckId, byName)
      if (seen === 'unreadable') unreadable.set(`${appId}/${tenantKey}`, performance.now() + unreadableForMs)
      return seen
    },
  }
}

/** What an answer of batch_query says about one delivery: pure. Unknown fields are ignored. */
export function readSeen(reply: Asked, content: OrderBody, backgroundCheckId: string, byName = false): Seen {
  if (reply.kind === 'withdrawn' || reply.kind === 'no_slot') return 'no_slot'
  if (reply.kind !== 'answer') return 'no_answer'
  if (unreadableCodes.has(reply.code)) return 'unreadable'
  if (refusedTokenCodes.has(reply.code)) return 'token_refused'
  if (reply.code !== 0) return 'no_answer'
  const order = readOrderPage(reply.data).orders.find(({ id }) => id === backgroundCheckId)
  // An order that we were given and that the list does not have: the list is not ours, or its ids are others.
  if (order === undefined) return 'unreadable'
  return isInFeishu(order, content, byName) ? 'found' : 'absent'
}
