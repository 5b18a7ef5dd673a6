import { createHash, randomBytes } from 'node:crypto'
import { type Incoming, jsonReply, type Reply } from '../support/http.js'
import type { VendorOrder } from './orders.js'

/** One page that names the report; the offsets of its table are computed, so readers that are strict take it too. */
export function tinyPdf(text: string): Buffer {
  const ascii = text.replaceAll(/[^\x20-\x7e]/g, '?').replaceAll(/[()\\]/g, ' ')
  const content = `BT /F1 18 Tf 72 720 Td (${ascii}) Tj ET`
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
  ]
  let file = '%PDF-1.4\n'
  const offsets = objects.map((object, index) => {
    const offset = file.length
    file += `${index + 1} 0 obj\n${object}\nendobj\n`
    return offset
  })
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('')
  const size = objects.length + 1
  const trailer = `trailer\n<< /Size ${size} /Root 1 0 R >>\nstartxref\n${file.length}\n%%EOF\n`
  return Buffer.from(`${file}xref\n0 ${size}\n0000000000 65535 f \n${table}${trailer}`, 'latin1')
}

/** Links to reports: unguessable, and the same for the same report; where they rotate, signed anew in every answer. */
export class ReportLinks {
  readonly #secret = randomBytes(16).toString('hex')
  readonly #rotate: boolean
  #base = ''
  #epoch = 0

  constructor(rotate: boolean) {
    this.#rotate = rotate
  }

  /** Where this vendor is. */
  lieBelow(base: string): void {
    this.#base = base
  }

  to(order: VendorOrder, name: string): string {
    const token = this.#hash(order.orderId, name).slice(0, 32)
    return `${this.#base}/files/${token}/${encodeURIComponent(name)}`
  }

  /** A link as an answer has it. */
  shown(link: string): string {
    if (!this.#rotate) return link
    const url = new URL(link)
    const nonce = randomBytes(8).toString('hex')
    url.searchParams.set('signature', `${nonce}.${this.#sign(url.pathname, nonce)}`)
    return url.href
  }

  /** Every signed link given so far answers 403. */
  expire(): void {
    this.#epoch += 1
  }

  isGood(path: string, query: URLSearchParams): boolean {
    const [nonce = '', signature] = query.get('signature')?.split('.') ?? []
    return !this.#rotate || signature === this.#sign(path, nonce)
  }

  #sign(path: string, nonce: string): string {
    return this.#hash(path, nonce, String(this.#epoch)).slice(0, 32)
  }

  #hash(...parts: string[]): string {
    return createHash('sha256')
      .update([this.#secret, ...parts].join('|'))
      .digest('base64url')
  }
}

/** The file behind a report of this name. */
export function reportFile(name: string): Buffer {
  return tinyPdf(`Sandbox background check report: ${name}`)
}

/** As a store of files answers: public to who has the link, and to nobody who also brings a key. */
export function reportReply({ method, path, query, headers }: Incoming, links: ReportLinks): Reply {
  if (headers.authorization !== undefined) return told(400, 'a link is fetched without Authorization')
  if (!links.isGood(path, query)) return told(403, 'this link is no longer good')
  const file = reportFile(decodeURIComponent(path.split('/').at(-1) ?? 'report.pdf'))
  const etag = `"${createHash('sha256').update(file).digest('hex').slice(0, 16)}"`
  const common = { 'content-type': 'application/pdf', 'accept-ranges': 'bytes', etag }
  const ifRange = headers['if-range']
  const asked = method === 'GET' && (ifRange === undefined || ifRange === etag) ? headers.range : undefined
  const part = partOf(file.length, asked)
  if (part === 'none') return { status: 416, headers: { 'content-range': `bytes */${file.length}` }, body: '' }
  if (part === 'whole') {
    const whole = { ...common, 'content-length': String(file.length) }
    return { status: 200, headers: whole, body: method === 'HEAD' ? '' : file }
  }
  const [from, to] = part
  const range = { ...common, 'content-range': `bytes ${from}-${to}/${file.length}` }
  return { status: 206, headers: range, body: file.subarray(from, to + 1) }
}

/** First and last byte of the one range that was asked for (RFC 9110 §14.1.2). */
function partOf(length: number, header: string | undefined): [number, number] | 'whole' | 'none' {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return 'whole'
  const from = first === '' ? Math.max(0, length - Number(last)) : Number(first)
  const to = first === '' || last === '' ? length - 1 : Math.min(Number(last), length - 1)
  if (first !== '' && last !== '' && Number(last) < from) return 'whole'
  return from > to ? 'none' : [from, to]
}

function told(status: number, message: string): Reply {
  return jsonReply(status, { error: { message } })
}
