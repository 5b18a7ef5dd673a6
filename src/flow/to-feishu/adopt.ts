import type { Bucket } from '../outbox/buckets.js'
import { isAgreementId } from './decide.js'
import type { FeishuReads } from './reads.js'

/** The id of the agreement that an application has (contract §3.9, §3.10 on 1002080); `null` when no answer tells it. */
export async function adopt(
  reads: FeishuReads,
  { appId, tenantKey }: Bucket,
  applicationId: string,
  token: string,
): Promise<string | null> {
  const question = { api: 'tripartite_agreements.list', query: { application_id: applicationId } } as const
  const reply = await reads.askWith(token, appId, tenantKey, question)
  if (reply.kind !== 'answer' || reply.code !== 0) return null
  const item = itemsOf(reply.data).find((each) => each['application_id'] === applicationId)
  const id = item?.['id']
  return isAgreementId(id) ? id : null
}

type Item = Record<string, unknown>

function itemsOf(data: unknown): Item[] {
  const items: unknown = typeof data === 'object' && data !== null && 'items' in data ? data.items : []
  return Array.isArray(items) ? items.filter(isItem) : []
}

function isItem(value: unknown): value is Item {
  return typeof value === 'object' && value !== null
}
