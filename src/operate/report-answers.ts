import type { IncomingMessage, ServerResponse } from 'node:http'
import { dispositionOf } from '../flow/reports/file-name.js'
import type { OpenedReport, ReportQuestion, ReportRefusal } from '../flow/vendor/adapter.js'

export type Refusal =
  | 'not_found'
  | 'expired'
  | 'method'
  | 'busy'
  | 'stopping'
  | 'unavailable'
  | 'vendor_gone'
  | 'vendor_failed'
  | 'range'
  | `refused_${ReportRefusal}`

const notPassedOn = { status: 502, text: 'What the vendor has behind this link is not passed on.' }
const comeAgain = { 'Retry-After': '5' }

/** Whoever opens a link in a browser reads the text. */
export const refusals: Record<Refusal, { status: number; text: string; headers?: Readonly<Record<string, string>> }> = {
  not_found: { status: 404, text: 'There is no report behind this link.' },
  expired: { status: 410, text: 'This link to a report is no longer good.' },
  method: { status: 405, text: 'A report can be read only.', headers: { Allow: 'GET, HEAD' } },
  busy: { status: 503, text: 'Too many reports are being read. Try again in a moment.', headers: comeAgain },
  stopping: { status: 503, text: 'Try again in a moment.', headers: comeAgain },
  unavailable: { status: 503, text: 'Try again in a moment.', headers: comeAgain },
  vendor_gone: { status: 404, text: 'The vendor does not have this report any more.' },
  vendor_failed: { status: 502, text: 'The vendor does not give out this report now. Try again later.' },
  range: { status: 416, text: 'The report has no such range.' },
  refused_address: notPassedOn,
  refused_redirect: notPassedOn,
  refused_type: notPassedOn,
  refused_size: notPassedOn,
  refused_encoding: notPassedOn,
  refused_answer: notPassedOn,
}

/** Kept nowhere, run by nobody, found by no search engine, and the link told to nobody. */
const common = {
  'Cache-Control': 'private, no-store',
  'Content-Security-Policy': "default-src 'none'; sandbox",
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Robots-Tag': 'noindex, nofollow, noarchive',
}

export function say(response: ServerResponse, reason: Refusal, more: Readonly<Record<string, string>> = {}): void {
  const { status, text, headers } = refusals[reason]
  const body = Buffer.from(`${text}\n`)
  response.writeHead(status, {
    ...common,
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': String(body.length),
    ...headers,
    ...more,
  })
  response.end(body)
}

/** Nothing of the vendor's own headers but what the file needs. */
export function fileHeaders(
  { length, contentRange, etag, ranges }: Extract<OpenedReport, { kind: 'opened' }>,
  name: string,
): Record<string, string> {
  return {
    ...common,
    'Content-Type': 'application/pdf',
    'Content-Disposition': dispositionOf(name),
    ...(length !== undefined && { 'Content-Length': String(length) }),
    ...(contentRange !== undefined && { 'Content-Range': contentRange }),
    ...(etag !== undefined && { ETag: etag }),
    ...(ranges && { 'Accept-Ranges': 'bytes' }),
  }
}

/** The first segment below /reports, as it came: tokens need no decoding. */
export function tokenOf({ url = '' }: IncomingMessage): string {
  return /^\/([^/?]*)(?:\?|$)/.exec(url)?.[1] ?? ''
}

const oneRange = /^bytes=(?:\d{1,15}-\d{0,15}|-\d{1,15})$/
const strongTag = /^"[\x21\x23-\x7e]{0,200}"$/

/** Any other range may be passed over (RFC 9110 §14.2), and is when its condition cannot be passed on. */
export function questionOf({ method, headers }: IncomingMessage): ReportQuestion {
  if (method === 'HEAD') return { method }
  const range = headers.range?.replaceAll(/\s/g, '') ?? ''
  // Node's types say that it may come as a list; it joins no header of that name.
  const ifRange = headers['if-range']?.toString()
  if (!oneRange.test(range) || (ifRange !== undefined && !strongTag.test(ifRange))) return { method: 'GET' }
  return { method: 'GET', range, ...(ifRange !== undefined && { ifRange }) }
}
