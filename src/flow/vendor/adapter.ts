import type { Readable } from 'node:stream'

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
  findOrder(backgroundCheckId: string, call: VendorCall): Promise<VendorAnswer<FoundOrder | null>>
  /** `null`: the vendor does not know this order. */
  getOrder(orderId: string, call: VendorCall): Promise<VendorAnswer<VendorOrder | null>>
  /**
   * Up to 100 orders in one call, in any order; those that are unknown are left out. After `retry` with the status 404 (there
   * is no list of them), or 2xx (it cannot be read), they are asked for one by one.
   */
  getOrders?(orderIds: readonly string[], call: VendorCall): Promise<VendorAnswer<VendorOrder[]>>
  /** What changed after a cursor; `cursor: null` starts from the beginning. `expired`: start over. */
  changes?(cursor: string | null, limit: number, call: VendorCall): Promise<VendorAnswer<ChangedOrders>>
  /** Tripartite agreements that changed after a cursor; `cursor: null` starts from the beginning. `expired`: start over. */
  agreements?(cursor: string | null, call: VendorCall): Promise<VendorAnswer<ChangedAgreements>>
  /** Succeeds also when the order was canceled before. */
  cancelOrder(orderId: string, reason: string, call: VendorCall): Promise<VendorAnswer<null>>
  /**
   * Opens the file behind a report of type 1. Without it the report's link is fetched, as the `http` adapter does. The
   * signal ends the call as well as the body; the caller reads or destroys the body.
   */
  openReport?(report: ReportToOpen, asked: ReportQuestion, call: VendorCall): Promise<OpenedReport>
  stop?(): Promise<void>
}

export interface VendorCall {
  /** Ends the call when the process stops. */
  signal: AbortSignal
  /**
   * Before each request that a verb makes of the vendor: waits for the vendor's windows (VENDOR_RATE_LIMITS). A failure
   * is the verb's answer, and no further request is made. The first one passes at once; a verb of one request needs none.
   */
  turn?(): Promise<VendorFailure | null>
  /** Asked after every wait, right before the call is made; false: it is not made. */
  stillWanted?(): Promise<boolean>
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

export interface FoundOrder extends VendorOrder {
  /** Further orders for the same check, which there should never be. */
  others?: readonly string[]
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

/** One report of an order, as the vendor named it last. */
export interface ReportToOpen {
  orderId: string | null
  backgroundCheckId: string
  /** The vendor's id of the stage; `null` for a report of the result. */
  stageId: string | null
  name: string
  url: string
}

/** What the reader asked for. */
export interface ReportQuestion {
  /** With `HEAD` nothing of the body is read. */
  method: 'GET' | 'HEAD'
  /** One range, `bytes=0-99`, `bytes=100-` or `bytes=-100`; an adapter may open the whole file instead. */
  range?: string
  /** A strong entity tag: the range is wanted only of the file that has it, else the whole file. */
  ifRange?: string
}

export type OpenedReport =
  /** `length` is that of `body` in bytes, where it is known; `contentRange` comes with 206 as HTTP writes it. */
  | {
      kind: 'opened'
      status: 200 | 206
      body: Readable
      length?: number
      contentRange?: string
      etag?: string
      /** Whether ranges can be asked for. */
      ranges: boolean
    }
  /** The file has no such range (416). */
  | { kind: 'unsatisfiable'; contentRange?: string }
  /** The link leads to nothing, or not any more: a later one may. */
  | { kind: 'gone'; message: string; status?: number }
  /** There is something that is not passed on. */
  | { kind: 'refused'; why: ReportRefusal; message: string }
  | VendorFailure

export type ReportRefusal = 'address' | 'redirect' | 'type' | 'size' | 'encoding' | 'answer'

/** One entry of a feed's page that cannot be read; the others can. */
export interface UnreadableEntry {
  /** Of the order or the agreement, where that can be read. */
  id: string | null
  /** Names fields and types, never what came. */
  complaint: string
}

export interface ChangedOrders {
  expired: boolean
  orders: VendorOrder[]
  unreadable?: UnreadableEntry[]
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
  unreadable?: UnreadableEntry[]
  cursor: string
  hasMore: boolean
}
