import type { OrderBody } from '../map.js'

/** What Feishu's order lists say about one background check (contract §3.8). Unknown fields are ignored; nothing personal is kept. */
export interface FeishuOrder {
  id: string
  /** Contract §3.4; `null` where it cannot be read. */
  status: number | null
  /** Times as Feishu writes them: milliseconds as text. */
  stages: ReadonlyArray<{ name: unknown; time: string }>
  hasResult: boolean
  /** Milliseconds. */
  beganAt: number | null
  updatedAt: number | null
  /** Feishu's id of whoever does the check: the list holds the orders of every provider. */
  provider: string | null
}

export interface OrderPage {
  orders: FeishuOrder[]
  hasMore: boolean
  /** Of the next page. */
  nextToken: string
}

/** Contract §3.4: only these two are closed for sure. */
export const orderStatus = {
  arranged: 2,
  completed: 3,
  terminated: 4,
  inApproval: 5,
  approvalWithdrawn: 6,
  notApproved: 9,
} as const
const finalReport = 2

/** A missing scope (contract §4.3), and a refusal of the query as such (§3.8): orders cannot be read there. */
export const unreadableCodes: ReadonlySet<number> = new Set([99991672, 1002002])

/** `data` of an answer with code 0. */
export function readOrderPage(data: unknown): OrderPage {
  if (!isItem(data)) return { orders: [], hasMore: false, nextToken: '' }
  const token = data['page_token']
  const nextToken = typeof token === 'string' ? token : ''
  return { orders: listOf(data['items']).flatMap(readOrder), hasMore: data['has_more'] === true, nextToken }
}

/** Whether an order has what a call was to bring. `byName`: a stage of that name, at any time. */
export function isInFeishu({ status, stages, hasResult }: FeishuOrder, content: OrderBody, byName = false): boolean {
  if (content.api === 'cancel') return status === orderStatus.terminated
  if (content.api === 'update_result') return status === orderStatus.completed || hasResult
  const { body, earlierTimes = [] } = content
  const times = [body.stage_time, ...earlierTimes]
  return stages.some(({ name, time }) => name === body.stage_name && (byName || times.includes(time)))
}

type Item = Record<string, unknown>

function readOrder(item: Item): FeishuOrder[] {
  const id = item['order_id']
  if (typeof id !== 'string') return []
  return [
    {
      id,
      status: numberOf(item['order_status']),
      stages: listOf(item['process_info_list']).map((stage) => ({
        name: stage['process'],
        time: String(stage['update_time']),
      })),
      hasResult: hasResult(item),
      beganAt: numberOf(item['begin_time']),
      updatedAt: numberOf(item['update_time']),
      provider: providerOf(item['provider_info']),
    },
  ]
}

function hasResult(item: Item): boolean {
  const final = listOf(item['feedback_info_list']).some((feedback) => Number(feedback['report_type']) === finalReport)
  return final || (typeof item['conclusion'] === 'string' && item['conclusion'] !== '')
}

function providerOf(info: unknown): string | null {
  const id = isItem(info) ? info['provider_id'] : undefined
  return typeof id === 'string' && id !== '' ? id : null
}

/** Feishu writes numbers as text in one place and as numbers in another. */
function numberOf(value: unknown): number | null {
  if (typeof value !== 'number' && (typeof value !== 'string' || !/^\d{1,16}$/.test(value))) return null
  return Number.isSafeInteger(Number(value)) ? Number(value) : null
}

function listOf(value: unknown): Item[] {
  return Array.isArray(value) ? value.filter(isItem) : []
}

function isItem(value: unknown): value is Item {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
