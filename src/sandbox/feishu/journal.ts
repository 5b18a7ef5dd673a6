import { now } from '../support/clock.js'
import { until } from '../support/until.js'
import type { ApiName } from './apis.js'

/** One call that came to the door, in the order of arrival. */
export type CallRecord = {
  seq: number
  /** Arrival at the door, milliseconds since the epoch, with fractions. */
  at: number
  /** When the answer was written, or given up. */
  endedAt?: number
  /** Undefined for a path that does not exist. */
  api?: ApiName
  appId?: string
  tenantKey?: string
  backgroundCheckId?: string
  method: string
  path: string
  query: Record<string, string>
  body?: unknown
  httpStatus?: number
  code?: number
  msg?: string
  logId: string
  /** Whether it changed anything. */
  applied: boolean
  /** Whether a whole, readable answer was written. False: the caller cannot know what happened. */
  answered: boolean
  /** The fault that was played, if any. */
  fault?: string
}

export type CallFilter = {
  api?: ApiName
  appId?: string
  tenantKey?: string
  backgroundCheckId?: string
  code?: number
  applied?: boolean
}

export class Journal {
  readonly calls: CallRecord[] = []

  open(call: Pick<CallRecord, 'at' | 'method' | 'path' | 'query' | 'logId'>): CallRecord {
    const record: CallRecord = { ...call, seq: this.calls.length + 1, applied: false, answered: false }
    this.calls.push(record)
    return record
  }

  close(record: CallRecord, answered: boolean): void {
    record.endedAt = now()
    record.answered = answered
  }

  find(filter: CallFilter = {}): CallRecord[] {
    const wanted = Object.entries(filter).filter(([, value]) => value !== undefined)
    return this.calls.filter((call) => wanted.every(([name, value]) => call[name as keyof CallFilter] === value))
  }

  async waitFor(filter: CallFilter, count = 1, timeoutMs?: number): Promise<CallRecord[]> {
    const what = `${count} call(s) ${JSON.stringify(filter)}`
    const probe = () => {
      const found = this.find(filter).filter((call) => call.endedAt !== undefined)
      return found.length >= count ? found : undefined
    }
    return until(what, probe, timeoutMs === undefined ? {} : { timeoutMs })
  }
}
