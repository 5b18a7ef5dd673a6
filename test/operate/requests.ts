import type { Route } from '../../src/operate/api/route.js'
import type { CallOptions } from './harness.js'

export const json = { 'content-type': 'application/json' }

/** What each operation asks for beside ids, as it fits. */
const bodies: Readonly<Record<string, object>> = {
  'orders.search': { email: 'nobody@example.com' },
  'deliveries.retry_many': { filter: {} },
  'accounts.put': { tenant_key: 'tk_a' },
  'accounts.put_catalog': { packages: [], additional_items: [], custom_fields: [] },
  'accounts.relabel_fields': { custom_field_list: [] },
  'agreements.create': { tenant_key: 'tk_a', application_id: '900001', state: 1 },
  'agreements.change': { tenant_key: 'tk_a', state: 1 },
}
const queries: Readonly<Record<string, string>> = {
  'agreements.read': '?tenant_key=tk_a&id=1',
  'agreements.delete': '?tenant_key=tk_a',
}

export type Request = [method: string, path: string, options: CallOptions & { headers: Record<string, string> }]

/** A request that fits an operation, about this id. */
export function requestOf({ id: name, method, path }: Pick<Route, 'id' | 'method' | 'path'>, id = '999999'): Request {
  const body = bodies[name]
  const sent = body === undefined ? { headers: {} } : { headers: json, body: JSON.stringify(body) }
  return [method, path.replaceAll(/\{\w+\}/g, id) + (queries[name] ?? ''), sent]
}
