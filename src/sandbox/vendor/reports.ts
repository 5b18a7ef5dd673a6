import { createHash } from 'node:crypto'
import type { Reply } from '../support/http.js'
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

/** Unguessable, and the same for the same report. */
export function reportPath(secret: string, order: VendorOrder, name: string): string {
  const token = createHash('sha256').update(`${secret}|${order.orderId}|${name}`).digest('base64url').slice(0, 32)
  return `/files/${token}/${encodeURIComponent(name)}`
}

export function reportReply(method: string, path: string): Reply {
  const name = decodeURIComponent(path.split('/').at(-1) ?? 'report.pdf')
  const pdf = tinyPdf(`Sandbox background check report: ${name}`)
  const headers = { 'content-type': 'application/pdf', 'content-length': String(pdf.length) }
  return { status: 200, headers, body: method === 'HEAD' ? '' : pdf }
}
