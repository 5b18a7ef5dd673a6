import type { IncomingHttpHeaders } from 'node:http'
import type { OpenedReport, ReportQuestion, ReportRefusal } from './adapter.js'
import { readRetryAfter } from './http-errors.js'

/** What the head of an answer says; nothing of the body was read. */
export type Judged =
  | { kind: 'redirect'; location: string }
  | {
      kind: 'file'
      head: Omit<Extract<OpenedReport, { kind: 'opened' }>, 'body'>
      /** The type does not say that it is a PDF, so its beginning has to. */
      sniff: boolean
    }
  | Exclude<OpenedReport, { kind: 'opened' }>

const redirects = new Set([301, 302, 303, 307, 308])
/** A signed link that is over answers 403 in most stores, 401 in some. */
const nothingThere = new Set([401, 403, 404, 410])
const range = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/
const noRange = /^bytes \*\/\d{1,15}$/
const strongTag = /^"[\x21\x23-\x7e]{0,200}"$/

export function judgeHead(
  status: number,
  headers: IncomingHttpHeaders,
  asked: ReportQuestion,
  mostBytes: number,
  now: number,
): Judged {
  if (redirects.has(status)) return { kind: 'redirect', location: headers.location ?? '' }
  if (nothingThere.has(status)) return { kind: 'gone', status, message: `the link answered ${status}` }
  if (status === 416 && asked.range !== undefined) return unsatisfiable(headers['content-range'])
  if (status !== 200 && status !== 206) return failure(status, headers, now)
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity'
  if (encoding !== 'identity' && encoding !== '') return refused('encoding', 'the file came with a content encoding')
  const type = typeOf(headers['content-type'])
  if (type === 'other') return refused('type', 'the file is not a PDF')
  const length = lengthOf(headers['content-length'])
  const tag = headers.etag
  const common = {
    ...(length !== undefined && { length }),
    ...(tag !== undefined && strongTag.test(tag) && { etag: tag }),
  }
  if (status === 206) return judgePart(headers, asked, mostBytes, common, type === 'bytes')
  if (length !== undefined && length > mostBytes) return tooLarge()
  const ranges = headers['accept-ranges']?.trim().toLowerCase() === 'bytes'
  return { kind: 'file', head: { kind: 'opened', status, ranges, ...common }, sniff: type === 'bytes' }
}

/** A part that was not asked for, or says something else than it is, would put a broken file together. */
function judgePart(
  headers: IncomingHttpHeaders,
  asked: ReportQuestion,
  mostBytes: number,
  common: { length?: number; etag?: string },
  ofUnknownType: boolean,
): Judged {
  const contentRange = headers['content-range'] ?? ''
  const [, from, to, total] = range.exec(contentRange)?.map(Number) ?? []
  if (from === undefined || to === undefined || total === undefined || !isPartOf(from, to, asked.range))
    return refused('answer', 'the part is not the one that was asked for')
  const length = to - from + 1
  if ((common.length ?? length) !== length || total <= to) return refused('answer', 'the part has another length')
  if (length > mostBytes || total > mostBytes) return tooLarge()
  const head = { kind: 'opened', status: 206, ranges: true, ...common, length, contentRange } as const
  return { kind: 'file', head, sniff: ofUnknownType && from === 0 }
}

function isPartOf(from: number, to: number, asked: string | undefined): boolean {
  const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(asked ?? '') ?? []
  if (to < from || (first === '' && last === '')) return false
  if (first === '') return to - from < Number(last)
  return from === Number(first) && (last === '' || to <= Number(last))
}

/** `bytes`: any file may come so; its beginning tells. */
function typeOf(header: string | undefined): 'pdf' | 'bytes' | 'other' {
  const type = (header ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
  if (type === 'application/pdf') return 'pdf'
  return ['', 'application/octet-stream', 'binary/octet-stream', 'application/x-pdf'].includes(type) ? 'bytes' : 'other'
}

function lengthOf(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,15}$/.test(header) ? Number(header) : undefined
}

function unsatisfiable(contentRange = ''): Judged {
  return { kind: 'unsatisfiable', ...(noRange.test(contentRange) && { contentRange }) }
}

function failure(status: number, headers: IncomingHttpHeaders, now: number): Judged {
  const retryAfterMs = readRetryAfter(headers['retry-after'], now)
  const message = `the link answered ${status}`
  return { kind: 'retry', status, message, ambiguous: false, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

function tooLarge(): Judged {
  return refused('size', 'the file is larger than what is passed on')
}

function refused(why: ReportRefusal, message: string): Judged {
  return { kind: 'refused', why, message }
}
