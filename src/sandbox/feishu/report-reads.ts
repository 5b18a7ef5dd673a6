import type { Report, SandboxOrder } from './orders.js'

/** What a reader of Feishu found behind the link of a report. */
export type ReadReport = {
  name: string
  url: string
  ok: boolean
  problem?: string
  httpStatus?: number
  file?: Buffer
}

/** A reader does not wait for ever. */
const withinMs = 10_000

/**
 * Reads the PDFs of an order as the strictest reader would whom the contract leaves room for (§3.2): with nothing but the
 * link, no redirect followed, and only a PDF that says that it is one.
 */
export function readReports({ stages, result }: SandboxOrder): Promise<ReadReport[]> {
  const reports = [...stages.flatMap((stage) => stage.reports), ...(result?.reports ?? [])]
  return Promise.all(reports.filter(({ urlType }) => urlType === 1).map(readReport))
}

async function readReport({ name, url }: Report): Promise<ReadReport> {
  try {
    const answer = await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(withinMs) })
    const file = Buffer.from(await answer.arrayBuffer())
    const problem = problemOf(answer, file)
    return { name, url, httpStatus: answer.status, ok: problem === undefined, file, ...(problem && { problem }) }
  } catch (error) {
    return { name, url, ok: false, problem: error instanceof Error ? error.message : String(error) }
  }
}

function problemOf({ status, headers }: Response, file: Buffer): string | undefined {
  if (status !== 200) return `expected 200, got ${status}`
  const type = headers.get('content-type') ?? 'nothing'
  if (type !== 'application/pdf') return `Content-Type: expected application/pdf, got ${type}`
  return file.subarray(0, 5).toString('latin1') === '%PDF-' ? undefined : 'the file does not begin as a PDF'
}
