import type { OpenedReport, ReportQuestion, VendorAdapter } from './adapter.js'
import { resolveByDns } from './file-addresses.js'
import { type Hop, type HopTerms, hop } from './file-hop.js'
import { judgeHead } from './file-judge.js'
import { beginsAsPdf } from './file-sniff.js'
import { judgeTarget, type TargetTerms } from './file-target.js'

export type OpenReport = NonNullable<VendorAdapter['openReport']>

export interface FileFetchSettings extends Omit<HopTerms, 'resolve'>, TargetTerms {
  /** Until the head of the file is there: names, connections and redirects included. The body has no limit here. */
  timeoutMs: number
  resolve?: HopTerms['resolve']
  mostBytes?: number
  now?: () => number
}

/** No report of a background check comes near it. */
export const mostReportBytes = 100 * 1024 * 1024
const mostRedirects = 3

/**
 * Opens the link of a report as a stranger would: without any key, over public HTTPS or from the vendor's own origin, a
 * PDF and nothing else. Each redirect is judged like a link. Never throws; messages name no link.
 */
export function createFileFetch(settings: FileFetchSettings): OpenReport {
  const terms = { resolve: resolveByDns, mostBytes: mostReportBytes, now: Date.now, ...settings }
  return async ({ url }, asked, { signal }) => {
    const call = startCall(signal, settings.timeoutMs)
    try {
      const opened = await Promise.race([follow(url, asked, terms, call.signal), call.late])
      if (opened.kind === 'opened') call.headIsThere(opened)
      else call.letGo()
      return opened
    } finally {
      call.stopClock()
    }
  }
}

type Terms = FileFetchSettings & HopTerms & { mostBytes: number; now: () => number }

async function follow(link: string, asked: ReportQuestion, terms: Terms, signal: AbortSignal): Promise<OpenedReport> {
  const headers = headersOf(asked)
  let target = judgeTarget(link, terms)
  for (let redirects = 0; redirects <= mostRedirects; redirects += 1) {
    if (target.kind === 'refused') {
      return { kind: 'refused', why: redirects === 0 ? 'address' : 'redirect', message: target.message }
    }
    const answer = await ask({ ...target, headers, signal }, asked, terms, redirects > 0)
    if (answer.kind !== 'redirect') return answer
    target = judgeTarget(answer.location, terms, target.url)
  }
  return { kind: 'refused', why: 'redirect', message: `the link leads on more than ${mostRedirects} times` }
}

type Answer = OpenedReport | { kind: 'redirect'; location: string }

async function ask(asking: Hop, asked: ReportQuestion, terms: Terms, redirected: boolean): Promise<Answer> {
  const hopped = await hop(asking, terms)
  if (hopped.kind === 'failed') return { kind: 'retry', message: hopped.message, ambiguous: false }
  if (hopped.kind === 'not_public') {
    const message = 'the link leads to an address that is not public'
    return { kind: 'refused', why: redirected ? 'redirect' : 'address', message }
  }
  const { response: body } = hopped
  const judged = judgeHead(body.statusCode ?? 0, body.headers, asked, terms.mostBytes, terms.now())
  if (judged.kind !== 'file') {
    body.destroy()
    return judged
  }
  if (!judged.sniff) return { ...judged.head, body }
  const isPdf = await beginsAsPdf(body, asking.signal).catch(() => null)
  if (isPdf === true) return { ...judged.head, body }
  body.destroy()
  if (isPdf === null) return { kind: 'retry', message: 'the file broke off', ambiguous: false }
  return { kind: 'refused', why: 'type', message: 'the file is not a PDF' }
}

/** The same for HEAD: many signed links are good for GET alone, and what is not read does not come. */
function headersOf({ range, ifRange }: ReportQuestion): Record<string, string> {
  return {
    accept: 'application/pdf',
    'accept-encoding': 'identity',
    'user-agent': 'bgc-bridge',
    ...(range !== undefined && { range }),
    ...(range !== undefined && ifRange !== undefined && { 'if-range': ifRange }),
  }
}

/** Not AbortSignal.any: on Node 20 it keeps what it made for as long as the caller's signal lives. */
function startCall(caller: AbortSignal, timeoutMs: number) {
  const own = new AbortController()
  const abort = () => own.abort()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<OpenedReport>((resolve) => {
    timer = setTimeout(() => {
      abort()
      resolve({ kind: 'retry', message: `no file within ${timeoutMs} ms`, ambiguous: false })
    }, timeoutMs)
  })
  if (caller.aborted) abort()
  else caller.addEventListener('abort', abort, { once: true })
  const letGo = () => caller.removeEventListener('abort', abort)
  return {
    signal: own.signal,
    late,
    stopClock: () => clearTimeout(timer),
    letGo,
    headIsThere: ({ body }: Extract<OpenedReport, { kind: 'opened' }>) => {
      body.once('close', letGo)
    },
  }
}
