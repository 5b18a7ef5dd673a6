import type { RateLimit } from '../support/windows.js'
import type { VendorAccount } from './accounts.js'
import type { Script, VendorOrder } from './orders.js'

export type VendorCapabilities = { batch: boolean; changes: boolean; tripartite: boolean }

export type VendorOptions = {
  port?: number
  host?: string
  /** What `Authorization: Bearer` has to carry. */
  apiKey: string
  /** All on by default; `none` answers `GET /capabilities` with 404. */
  capabilities?: Partial<VendorCapabilities> | 'none'
  /** What happens to an order by itself; nothing when left out. */
  scenario?: (order: VendorOrder) => Script
  /** The catalog that an account gets when it is confirmed. */
  catalog?: (account: VendorAccount) => unknown
  /** `by_hand`: 202 and `customer_id` null until `confirmAccount`. */
  confirmAccounts?: 'at_once' | 'by_hand'
  /** `ignored`: each POST makes another order, and only a look-up before it keeps them from becoming two. */
  idempotencyKeys?: 'honoured' | 'ignored'
  /** Report links that differ in every answer, as signed ones do. */
  rotateReportLinks?: boolean
  /** Where the service is told that an order changed; no nudges when left out. */
  notify?: { url: string; key: string }
  /** Added to every call. */
  latencyMs?: number
  /** Answers 429 over these windows; they are counted over all calls. */
  rateLimits?: readonly RateLimit[]
}
