import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { Parts } from '../app.js'
import { BrokenOff, Meter } from '../flow/reports/meter.js'
import type { OpenedLink, Reports } from '../flow/reports/open.js'
import type { OpenedReport } from '../flow/vendor/adapter.js'
import { mostReportBytes } from '../flow/vendor/file-fetch.js'
import type { Started } from '../platform/lifetime.js'
import { fileHeaders, questionOf, type Refusal, refusals, say, tokenOf } from './report-answers.js'

/** `GET` and `HEAD /reports/{token}`: whoever has a link gets the vendor's file behind it, streamed. */
export interface ReportsDoor extends Started {
  /** Mounted at /reports. */
  answer: RequestListener
}

export interface ReportsDoorTerms {
  /** Answers under way; one more is asked to come again. */
  mostAtOnce: number
  /** The same for one link: whoever has one shall not use up the places of all. Readers of PDFs ask for parts side by side. */
  mostOfOne: number
  mostBytes: number
  /** Neither the vendor nor the reader moved for so long. */
  stalledMs: number
  wholeMs: number
  /** At a stop, what is under way may go on for so long. */
  stopWithinMs: number
}

const usual: ReportsDoorTerms = {
  mostAtOnce: 64,
  mostOfOne: 12,
  mostBytes: mostReportBytes,
  stalledMs: 30_000,
  wholeMs: 600_000,
  stopWithinMs: 5000,
}

/** What became of a request, for the log and the metrics. No part of it tells the link, the file or its name. */
interface Outcome {
  status: number
  reason: Refusal | 'whole' | 'part' | 'head' | 'client_left' | 'broken_off' | 'stopped' | BrokenOff['reason']
  deliveryId?: string
  bytes: number
}

interface UnderWay {
  token: string
  done: Promise<void>
  breakOff: () => void
}

export function createReportsDoor(
  reports: Reports,
  parts: Pick<Parts, 'log' | 'metrics'> & { config: Pick<Parts['config'], 'stopTimeoutMs'> },
  given: Partial<ReportsDoorTerms> = {},
): ReportsDoor {
  const terms = { ...usual, stopWithinMs: Math.min(usual.stopWithinMs, parts.config.stopTimeoutMs / 4), ...given }
  const underWay = new Set<UnderWay>()
  let stopping = false
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<Outcome> => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 'method')
    if (stopping) return refuse(response, 'stopping')
    const token = tokenOf(request)
    const ofOne = [...underWay].filter((each) => each.token === token).length
    if (underWay.size >= terms.mostAtOnce || ofOne >= terms.mostOfOne) return refuse(response, 'busy')
    let end: () => void = () => undefined
    const done = new Promise<void>((resolve) => {
      end = resolve
    })
    const one: UnderWay = { token, done, breakOff: () => response.destroy() }
    underWay.add(one)
    try {
      const outcome = await exchange(reports, parts, terms, request, response)
      return outcome.reason === 'client_left' && stopping ? { ...outcome, reason: 'stopped' } : outcome
    } finally {
      underWay.delete(one)
      end()
    }
  }
  return {
    answer: (request, response) => {
      const started = performance.now()
      void serve(request, response).then((outcome) => tell(parts, outcome, performance.now() - started))
    },
    stop: async () => {
      stopping = true
      const all = Promise.all([...underWay].map(({ done }) => done))
      let clock: NodeJS.Timeout | undefined
      await Promise.race([all, new Promise((resolve) => (clock = setTimeout(resolve, terms.stopWithinMs)))])
      clearTimeout(clock)
      for (const { breakOff } of underWay) breakOff()
      await all
    },
  }
}

/** One answer. Never throws; a client that leaves ends the vendor's part of it. */
async function exchange(
  reports: Reports,
  { log }: Pick<Parts, 'log'>,
  terms: ReportsDoorTerms,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Outcome> {
  const gone = new AbortController()
  const leave = () => gone.abort()
  response.once('close', leave)
  try {
    const opened = await reports.open(tokenOf(request), questionOf(request), gone.signal)
    return await answer(opened, terms, request, response)
  } catch (failure) {
    log.error({ event: 'report.crashed', err: failure }, 'a report could not be answered')
    return refuse(response, 'unavailable')
  } finally {
    response.off('close', leave)
  }
}

async function answer(
  opened: OpenedLink,
  terms: ReportsDoorTerms,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Outcome> {
  if (opened.kind === 'not_found') return refuse(response, 'not_found')
  const { deliveryId } = opened
  if (opened.kind === 'expired') return { ...refuse(response, 'expired'), deliveryId }
  if (opened.answer.kind !== 'opened') return { ...refuseAs(response, opened.answer), deliveryId }
  const { name, answer: file } = opened
  try {
    if (response.destroyed) return { status: 499, reason: 'client_left', deliveryId, bytes: 0 }
    response.writeHead(file.status, fileHeaders(file, name))
    if (request.method !== 'HEAD') return { ...(await stream(file, terms, response)), deliveryId }
    response.end()
    return { status: file.status, reason: 'head', deliveryId, bytes: 0 }
  } finally {
    // Nothing of it may go on, whatever happened above.
    file.body.destroy()
  }
}

type File = Extract<OpenedReport, { kind: 'opened' }>

/** A body that breaks off takes the connection with it, so that nobody takes a part of a report for the whole. */
async function stream(file: File, terms: ReportsDoorTerms, response: ServerResponse): Promise<Outcome> {
  const { status, body, length } = file
  const meter = new Meter({ ...terms, ...(length !== undefined && { length }) })
  let left = false
  response.once('close', () => {
    // Before anything else fails, it was the client that went.
    left = !response.writableFinished && body.errored === null && meter.errored === null
  })
  try {
    await pipeline(body, meter, response)
    return { status, reason: status === 206 ? 'part' : 'whole', bytes: meter.bytes }
  } catch (failure) {
    response.destroy()
    const reason = failure instanceof BrokenOff ? failure.reason : left ? 'client_left' : 'broken_off'
    return { status, reason, bytes: meter.bytes }
  }
}

function refuse(response: ServerResponse, reason: Refusal, headers: Readonly<Record<string, string>> = {}): Outcome {
  if (response.destroyed) return { status: 499, reason: 'client_left', bytes: 0 }
  if (response.headersSent) response.destroy()
  else say(response, reason, headers)
  return { status: refusals[reason].status, reason, bytes: 0 }
}

function refuseAs(response: ServerResponse, answer: Exclude<OpenedReport, File>): Outcome {
  if (answer.kind === 'gone') return refuse(response, 'vendor_gone')
  if (answer.kind === 'refused') return refuse(response, `refused_${answer.why}`)
  if (answer.kind === 'unsatisfiable') {
    return refuse(response, 'range', answer.contentRange === undefined ? {} : { 'Content-Range': answer.contentRange })
  }
  const waitMs = answer.kind === 'retry' ? (answer.retryAfterMs ?? 10_000) : 60_000
  return refuse(response, 'vendor_failed', { 'Retry-After': String(Math.max(1, Math.ceil(waitMs / 1000))) })
}

const vendorsFault = new Set<Outcome['reason']>(['broken_off', 'too_large', 'wrong_length'])

/** Strangers' guesses are counted, and logged only where someone looks closely. */
function tell({ log, metrics }: Pick<Parts, 'log' | 'metrics'>, outcome: Outcome, elapsedMs: number): void {
  const { status, reason, deliveryId, bytes } = outcome
  metrics.reportAnswers.inc({ status: String(status), reason })
  metrics.reportBytes.inc(bytes)
  const asItShould = status < 500 && !vendorsFault.has(reason)
  log[deliveryId === undefined ? 'debug' : asItShould ? 'info' : 'warn'](
    {
      event: 'report.served',
      ...(deliveryId !== undefined && { delivery_id: deliveryId }),
      status,
      reason,
      bytes,
      elapsed_ms: Math.round(elapsedMs),
    },
    'a report was asked for',
  )
}
