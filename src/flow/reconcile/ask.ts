import { type OrderPage, readOrderPage, unreadableCodes } from '../to-feishu/order-reads.js'
import type { FeishuReads, ReadReply } from '../to-feishu/reads.js'

/** What a question about orders brought. */
export type Answer =
  | { kind: 'page'; page: OrderPage }
  /** This app may not read the orders of this tenant; `code` is Feishu's. */
  | { kind: 'unreadable'; code: number; reason: string }
  /** Nobody was asked: a slot comes free by then. */
  | { kind: 'no_slot'; inMs: number }
  /** Says nothing about the right to read; `inMs` where something told when to come back. */
  | { kind: 'no_answer'; error: string; inMs?: number }

/** Ids that batch_query takes at once (contract §3.8). */
export const mostIds = 20
const pageSize = 100

export async function askForOrders(
  reads: FeishuReads,
  { appId, tenantKey }: { appId: string; tenantKey: string },
  ids: readonly string[],
): Promise<Answer> {
  const body = { background_check_order_id_list: [...ids] }
  const question = { api: 'background_check_orders.batch_query', body, query: { page_size: pageSize } } as const
  return readAnswer(await reads.ask(appId, tenantKey, question))
}

/** One page of all orders of a tenant that changed in Feishu between two moments, in ms. */
export async function askForPage(
  reads: FeishuReads,
  { appId, tenantKey }: { appId: string; tenantKey: string },
  { from, to, pageToken }: { from: number; to: number; pageToken: string },
): Promise<Answer> {
  const query = {
    page_size: pageSize,
    update_start_time: String(from),
    update_end_time: String(to),
    ...(pageToken !== '' && { page_token: pageToken }),
  }
  return readAnswer(await reads.ask(appId, tenantKey, { api: 'background_check_orders.list', query }))
}

const againMs = 1000

/** Pure. Reasons are ours and hold no foreign text. */
export function readAnswer(reply: ReadReply): Answer {
  switch (reply.kind) {
    case 'no_slot':
      return { kind: 'no_slot', inMs: reply.retryInMs }
    case 'withdrawn':
      return { kind: 'no_slot', inMs: againMs }
    case 'no_token':
      return { kind: 'no_answer', error: `no token: ${reply.reason}`, inMs: reply.retryInMs }
    case 'not_sent':
      return { kind: 'no_answer', error: 'Feishu could not be reached' }
    case 'lost':
      return { kind: 'no_answer', error: 'no readable answer came', ...resetOf(reply) }
    case 'answer':
      if (reply.code === 0) return { kind: 'page', page: readOrderPage(reply.data) }
      if (unreadableCodes.has(reply.code)) {
        return { kind: 'unreadable', code: reply.code, reason: reasonOf(reply.code, reply.missingScopes) }
      }
      return { kind: 'no_answer', error: `Feishu answered the code ${reply.code}`, ...resetOf(reply) }
  }
}

function reasonOf(code: number, missingScopes: readonly string[] = []): string {
  if (missingScopes.length > 0) return `the app lacks a scope: ${missingScopes.join(', ')} (${code})`
  return code === 1002002 ? 'Feishu refuses the question (1002002)' : `the app lacks a scope (${code})`
}

function resetOf({ resetMs }: { resetMs?: number }): { inMs?: number } {
  return resetMs === undefined ? {} : { inMs: resetMs }
}
