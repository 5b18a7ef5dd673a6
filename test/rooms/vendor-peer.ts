import { onTestFinished } from 'vitest'
import type { OrderToPlace, VendorAdapter, VendorAnswer, VendorCall } from '../../src/flow/vendor/adapter.js'
import { createHttpVendor, type HttpVendorSettings } from '../../src/flow/vendor/http.js'
import { type Reply, startPeer } from '../platform/http-peers.js'

/** Must never be seen outside of requests: it stands for a name, a result, a phone number. */
export const CANARY = 'canary-4711'

const API_KEY = 'the-key-of-the-vendor'

export const call: VendorCall = { signal: new AbortController().signal }

/** A vendor's server that answers as told, and the adapter that calls it. */
export async function startVendor(reply: Reply, settings: Partial<HttpVendorSettings> = {}) {
  const peer = await startPeer(reply)
  const vendor = adapterFor({ baseUrl: `${peer.origin}/feishu/v2/`, ...settings })
  return { peer, vendor }
}

export function adapterFor(settings: Partial<HttpVendorSettings> & { baseUrl: string }): VendorAdapter {
  const vendor = createHttpVendor({ apiKey: API_KEY, timeoutMs: 20_000, ...settings })
  onTestFinished(async () => vendor.stop?.())
  return vendor
}

export function answering(body: unknown, status = 200, headers: Record<string, string> = {}): Reply {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return (_, response) => response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(text)
}

export const order: OrderToPlace = {
  backgroundCheckId: '7400000000000000202',
  accountId: '7400000000000000001',
  tenantKey: 'tenant-1',
  packageId: 'p-1',
  additionalItemIds: ['i-1', 'i-2'],
  candidate: { name: CANARY, firstName: 'A', lastName: 'B', email: 'a@b.example', mobile: { code: '86', number: '1' } },
  contact: { name: CANARY },
  customFields: { key: CANARY },
  comment: CANARY,
}

export const account = {
  accountId: '7400000000000000001',
  tenantKey: 'tenant-1',
  accountName: CANARY,
  usageList: [1, 2],
  customFields: { key: CANARY },
}

/** Every verb, with the method that it uses. */
export const verbs: readonly (readonly [
  name: string,
  method: 'GET' | 'POST',
  ask: (vendor: VendorAdapter) => Promise<VendorAnswer<unknown>>,
])[] = [
  ['capabilities', 'GET', (vendor) => vendor.capabilities(call)],
  ['bindAccount', 'POST', (vendor) => vendor.bindAccount(account, call)],
  ['placeOrder', 'POST', (vendor) => vendor.placeOrder(order, call)],
  ['findOrder', 'GET', (vendor) => vendor.findOrder(CANARY, call)],
  ['getOrder', 'GET', (vendor) => vendor.getOrder(CANARY, call)],
  ['getOrders', 'GET', (vendor) => readMany(vendor, [CANARY, 'V-2'])],
  ['changes', 'GET', (vendor) => readChanges(vendor, CANARY, 10)],
  ['agreements', 'GET', (vendor) => readAgreements(vendor, CANARY)],
  ['cancelOrder', 'POST', (vendor) => vendor.cancelOrder(CANARY, CANARY, call)],
]

export function readMany(vendor: VendorAdapter, ids: readonly string[]) {
  return present(vendor.getOrders?.(ids, call))
}

export function readChanges(vendor: VendorAdapter, cursor: string | null, limit: number) {
  return present(vendor.changes?.(cursor, limit, call))
}

export function readAgreements(vendor: VendorAdapter, cursor: string | null) {
  return present(vendor.agreements?.(cursor, call))
}

function present<T>(asked: Promise<T> | undefined): Promise<T> {
  return asked ?? Promise.reject(new Error('the adapter lacks a verb'))
}

export function answered<T>(answer: VendorAnswer<T>): T {
  if (answer.kind !== 'ok') throw new Error(`expected an answer, got ${answer.kind}: ${answer.message}`)
  return answer.value
}
