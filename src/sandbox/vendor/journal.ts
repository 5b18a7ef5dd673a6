import { now } from '../support/clock.js'
import { until } from '../support/until.js'

export type VendorOperation =
  | 'accounts.create'
  | 'orders.create'
  | 'orders.find'
  | 'orders.get'
  | 'orders.batch'
  | 'orders.changes'
  | 'orders.cancel'
  | 'tripartite.changes'
  | 'capabilities'
  | 'files'

export type VendorCallRecord = {
  seq: number
  at: number
  endedAt?: number
  operation?: VendorOperation
  method: string
  path: string
  query: Record<string, string>
  body?: unknown
  idempotencyKey?: string
  /** The vendor's id, where the call names one. */
  orderId?: string
  backgroundCheckId?: string
  httpStatus?: number
  applied: boolean
  answered: boolean
  fault?: string
  /** A repeated Idempotency-Key came with another body. */
  differs?: boolean
}

export type VendorCallFilter = {
  operation?: VendorOperation
  orderId?: string
  backgroundCheckId?: string
  httpStatus?: number
}

export class VendorJournal {
  readonly calls: VendorCallRecord[] = []
  inFlight = 0
  worstInFlight = 0

  open(call: Pick<VendorCallRecord, 'at' | 'method' | 'path' | 'query'>): VendorCallRecord {
    const record = { ...call, seq: this.calls.length + 1, applied: false, answered: false }
    this.calls.push(record)
    this.inFlight++
    this.worstInFlight = Math.max(this.worstInFlight, this.inFlight)
    return record
  }

  close(record: VendorCallRecord, answered: boolean): void {
    this.inFlight--
    record.endedAt = now()
    record.answered = answered
  }

  find(filter: VendorCallFilter = {}): VendorCallRecord[] {
    const wanted = Object.entries(filter).filter(([, value]) => value !== undefined)
    return this.calls.filter((call) => wanted.every(([name, value]) => call[name as keyof VendorCallFilter] === value))
  }

  async waitFor(filter: VendorCallFilter, count = 1, timeoutMs?: number): Promise<VendorCallRecord[]> {
    const what = `${count} call(s) ${JSON.stringify(filter)} to the vendor`
    const probe = () => {
      const found = this.find(filter).filter((call) => call.endedAt !== undefined)
      return found.length >= count ? found : undefined
    }
    return until(what, probe, timeoutMs === undefined ? {} : { timeoutMs })
  }
}
