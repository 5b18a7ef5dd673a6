import { type PostOutcome, post } from '../support/post.js'
import { NotThere } from '../support/refusals.js'
import { Turns } from '../support/turns.js'
import { until } from '../support/until.js'
import type { Directory } from './directory.js'
import type { Settings } from './options.js'
import { jsonHeaders, sealEvent, signatureHeaders } from './seal.js'

export type PushAttempt = {
  at: number
  endedAt?: number
  /** `retry`: by the schedule; `manual`: by hand; `copy`: one of several at once. */
  kind: 'first' | 'retry' | 'repeat' | 'manual' | 'copy'
  url?: string
  outcome?: 'acknowledged' | 'refused' | 'timeout' | 'unreachable' | 'no_event_url'
  httpStatus?: number
  responseBody?: string
  reason?: string
  headers: Record<string, string>
}

export type PushedEvent = {
  /** `event_id`, or `uuid` of the v1 envelope. */
  eventId: string
  eventType: string
  appId: string
  tenantKey?: string
  /** The whole envelope before encryption. */
  content: unknown
  attempts: PushAttempt[]
  acknowledged: boolean
  /** After the last retry in vain: Feishu pushes it no more. */
  givenUp: boolean
}

type Running = { event: PushedEvent; body: Buffer; firstHeaders: Record<string, string>; timer?: NodeJS.Timeout }

/** Sends events, and sends them again until they are acknowledged or the schedule is over (contract §2). */
export class Pushes {
  #directory: Directory
  #settings: Settings
  #running = new Map<string, Running>()
  #stopped = false
  #turns: Turns

  constructor(directory: Directory, settings: Settings) {
    this.#directory = directory
    this.#settings = settings
    this.#turns = new Turns(settings.pushesInFlight)
  }

  events(): PushedEvent[] {
    return [...this.#running.values()].map(({ event }) => event)
  }

  event(eventId: string): PushedEvent {
    return this.#find(eventId).event
  }

  /** `hold` keeps the first attempt back: for events that are lost, or sent by hand in another order. */
  start(input: Omit<PushedEvent, 'attempts' | 'acknowledged' | 'givenUp'>, { hold = false } = {}): PushedEvent {
    const app = this.#directory.app(input.appId)
    const { body, headers } = sealEvent(app.encryptKey, input.content, {
      timestampUnit: this.#settings.switches.timestampUnit,
    })
    const event: PushedEvent = { ...input, attempts: [], acknowledged: false, givenUp: false }
    const running: Running = { event, body, firstHeaders: headers }
    this.#running.set(input.eventId, running)
    if (!hold) void this.#bySchedule(running, 0)
    return event
  }

  async redeliver(eventId: string): Promise<PushAttempt> {
    return this.#attempt(this.#find(eventId), 'manual')
  }

  /** `count` deliveries of one event at the same moment. */
  async sendCopies(eventId: string, count: number): Promise<PushAttempt[]> {
    const running = this.#find(eventId)
    return Promise.all(Array.from({ length: count }, () => this.#attempt(running, 'copy')))
  }

  async untilAcknowledged(eventId: string, timeoutMs?: number): Promise<PushedEvent> {
    const { event } = this.#find(eventId)
    const what = `event ${event.eventType} ${eventId} to be acknowledged`
    try {
      await until(what, () => event.acknowledged, timeoutMs === undefined ? {} : { timeoutMs })
    } catch (error) {
      const seen = event.attempts.map(({ outcome, httpStatus, reason }) => httpStatus ?? reason ?? outcome).join(', ')
      throw new Error(`${String(error)}; attempts so far: ${seen || 'none'}`, { cause: error })
    }
    return event
  }

  stop(): void {
    this.#stopped = true
    for (const { timer } of this.#running.values()) clearTimeout(timer)
  }

  #find(eventId: string): Running {
    const running = this.#running.get(eventId)
    if (!running) throw new NotThere(`no event ${eventId} was sent by this sandbox`)
    return running
  }

  /** Retries count from the end of the attempt before; the contract leaves that open. */
  async #bySchedule(running: Running, number: number): Promise<void> {
    await this.#turns.take(async () => {
      if (!this.#stopped) await this.#attempt(running, number === 0 ? 'first' : 'retry')
    })
    if (running.event.acknowledged) {
      if (this.#settings.switches.repeatAcknowledged) this.#later(running, 0, () => this.#attempt(running, 'repeat'))
      return
    }
    if (number < this.#settings.retryDelaysMs.length) {
      this.#later(running, number, () => this.#bySchedule(running, number + 1))
    } else {
      running.event.givenUp = true
    }
  }

  #later(running: Running, number: number, run: () => Promise<unknown>): void {
    if (this.#stopped) return
    running.timer = setTimeout(() => void run(), this.#settings.retryDelaysMs[number] ?? 0)
  }

  async #attempt(running: Running, kind: PushAttempt['kind']): Promise<PushAttempt> {
    const { event, body } = running
    const app = this.#directory.app(event.appId)
    const headers = this.#headersFor(running, app.encryptKey)
    const attempt: PushAttempt = { at: Date.now(), kind, headers, ...(app.eventUrl ? { url: app.eventUrl } : {}) }
    event.attempts.push(attempt)
    if (!app.eventUrl) return Object.assign(attempt, { outcome: 'no_event_url', endedAt: Date.now() })
    const outcome = await post({ url: app.eventUrl, headers, body, timeoutMs: this.#settings.ackTimeoutMs })
    Object.assign(attempt, describe(outcome), { endedAt: Date.now() })
    if (attempt.outcome === 'acknowledged') event.acknowledged = true
    return attempt
  }

  #headersFor({ event, body, firstHeaders }: Running, encryptKey: string): Record<string, string> {
    const { resignRedeliveries, timestampUnit } = this.#settings.switches
    if (event.attempts.length === 0 || !resignRedeliveries) return firstHeaders
    return { ...jsonHeaders, ...signatureHeaders(encryptKey, body, { timestampUnit }) }
  }
}

/** Exactly 200 counts as received; redirects and other 2xx do not (contract §2). */
function describe(outcome: PostOutcome): Partial<PushAttempt> {
  if (outcome.kind === 'timeout') return { outcome: 'timeout', reason: 'no answer in time' }
  if (outcome.kind === 'unreachable') return { outcome: 'unreachable', reason: outcome.reason }
  return {
    outcome: outcome.status === 200 ? 'acknowledged' : 'refused',
    httpStatus: outcome.status,
    responseBody: outcome.body.slice(0, 2000),
  }
}
