/**
 * The room `vendor`: the only door to the vendor's own system.
 *
 * Called by `orders` (place, cancel, poll) and by the account binding. Every verb answers with a tagged union and
 * never throws for what a vendor may do; a thrown error is a bug of the adapter. The caller's part:
 * - `final`          the vendor will never take this: the order fails, visibly;
 * - `retry`          try again, not before `retryAfterMs`; `ambiguous` means that the call may have taken effect, `held`
 *                    that it was not made at all, so that it is no attempt;
 * - `misconfigured`  our key, address or path is wrong: every call stops until it is mended.
 *
 * Shapes follow `GET /orders/{order_id}` and its neighbours; times are milliseconds since 1970.
 */
export interface VendorAdapter {
  capabilities(call: VendorCall): Promise<VendorAnswer<Capabilities>>
  /** Tells the vendor that a customer bound an account. `customerId: null` means not confirmed yet: ask again. */
  bindAccount(account: AccountToBind, call: VendorCall): Promise<VendorAnswer<BoundAccount>>
  /** Must answer the same order for the same `backgroundCheckId`, however often it is called. */
  placeOrder(order: OrderToPlace, call: VendorCall): Promise<VendorAnswer<{ orderId: string }>>
  /** Whether an order exists for a check, after a call whose answer was lost. `null`: there is none. */
  findOrder(backgroundCheckId: string, call: VendorCall): Promise<VendorAnswer<VendorOrder | null>>
  /** `null`: the vendor does not know this order. */
  getOrder(orderId: string, call: VendorCall): Promise<VendorAnswer<VendorOrder | null>>
  /** Up to 100 orders in one call, in any order; those that are unknown are left out. */
  getOrders?(orderIds: readonly string[], call: VendorCall): Promise<VendorAnswer<VendorOrder[]>>
  /** What changed after a cursor; `cursor: null` starts from the beginning. `expired`: start over. */
  changes?(cursor: string | null, limit: number, call: VendorCall): Promise<VendorAnswer<ChangedOrders>>
  /** Tripartite agreements that changed after a cursor; `cursor: null` starts from the beginning. `expired`: start over. */
  agreements?(cursor: string | null, call: VendorCall): Promise<VendorAnswer<ChangedAgreements>>
  /** Succeeds also when the order was canceled before. */
  cancelOrder(orderId: string, reason: string, call: VendorCall): Promise<VendorAnswer<null>>
  stop?(): Promise<void>
}

export interface VendorCall {
  /** Ends the call when the process stops. */
  signal: AbortSignal
}

export type VendorAnswer<T> = { kind: 'ok'; value: T } | VendorFailure

export type VendorFailure =
  | { kind: 'final'; message: string; status?: number }
  | { kind: 'retry'; message: string; status?: number; retryAfterMs?: number; ambiguous: boolean; held?: true }
  | { kind: 'misconfigured'; message: string; status?: number }

export interface Capabilities {
  batch: boolean
  changes: boolean
  tripartite: boolean
}

export interface AccountToBind {
  accountId: string
  tenantKey: string
  accountName: string
  usageList: number[]
  customFields: Record<string, string>
}

export interface BoundAccount {
  customerId: string | null
  /** The catalog that the vendor wants Feishu to show, as it came; validated where it is used. */
  catalog?: Record<string, unknown>
}

export interface OrderToPlace {
  backgroundCheckId: string
  accountId: string
  tenantKey: string
  packageId: string
  additionalItemIds: string[]
  candidate: Person
  contact: Person
  customFields: Record<string, string>
  comment: string
}

/** A candidate or the person who ordered; Feishu marks no field as required (contract §1.3). */
export interface Person {
  name?: string
  firstName?: string
  lastName?: string
  email?: string
  mobile?: { code?: string; number?: string }
}

export interface VendorOrder {
  orderId: string
  backgroundCheckId?: string
  status: VendorOrderStatus
  stages: VendorStage[]
  /** Present exactly when `status` is `completed`. */
  result?: VendorResult
}

export type VendorOrderStatus = 'pending' | 'in_progress' | 'completed' | 'canceled'

export interface VendorStage {
  id: string
  name: string
  enName?: string
  time: number
  result?: string
  reports: VendorReport[]
}

export interface VendorResult {
  result: string
  time: number
  reports: VendorReport[]
}

/** `type` 1 is a PDF to download, 2 a page to look at (contract §3.2). */
export interface VendorReport {
  name: string
  url: string
  type: 1 | 2
}

export interface ChangedOrders {
  expired: boolean
  orders: VendorOrder[]
  cursor: string
  hasMore: boolean
}

/** A tripartite agreement as the vendor keeps it (contract §3.9). */
export interface VendorAgreement {
  /** Feishu's id: digits. */
  id: string
  tenantKey: string
  /** 1 to 9. */
  state: number
  modifyTime: number
}

export interface ChangedAgreements {
  expired: boolean
  agreements: VendorAgreement[]
  cursor: string
  hasMore: boolean
}
