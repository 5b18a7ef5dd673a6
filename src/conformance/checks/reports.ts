import type { VendorReport } from '../../flow/vendor/adapter.js'
import type { HttpAnswer } from '../../platform/http-call.js'
import { type Check, having } from '../check.js'
import type { Ground, Sample } from '../ground.js'
import { said } from '../ground.js'
import { type CheckOutcome, failed, ok, skipped, warning } from '../result.js'
import { isLoopback } from '../wire.js'
import { worst } from './stages.js'

interface Named {
  /** Where it is in the order: messages have that, and never the link. */
  at: string
  report: VendorReport
  sample: Sample
  stageId: string | null
}

/** So many files show how they are served. */
const mostFiles = 5
const mostLink = 2048

export const reportChecks: readonly Check[] = [
  {
    name: 'report-links',
    about: 'Links of reports are https, short enough, and without a user or a password.',
    see: 'report-links',
    run: having(
      (ground) => ground.samples(),
      (samples) => {
        const all = reportsOf(samples)
        return all.length === 0
          ? skipped('no report was seen: try --wait, or --order-id')
          : (worst(all.map(judgeLink)) ?? ok())
      },
    ),
  },
  {
    name: 'report-files',
    about: 'Links of type 1 lead to a PDF for GET and HEAD, without credentials and without a redirect.',
    see: 'report-links',
    run: having(
      (ground) => ground.samples(),
      async (samples, ground) => {
        const all = reportsOf(samples).filter(({ report }) => report.type === 1 && URL.canParse(report.url))
        if (all.length === 0) return skipped('no report of type 1 was seen: try --wait, or --order-id')
        const found: CheckOutcome[] = []
        for (const named of all.slice(0, mostFiles)) found.push(await judgeFile(named, ground))
        return worst(found) ?? ok()
      },
    ),
  },
]

function reportsOf(samples: readonly Sample[]): Named[] {
  return samples.flatMap((sample) => {
    const { stages, result } = sample.second
    const ofStages = stages.flatMap(({ id, reports }, stage) =>
      reports.map((report, index) => ({ at: `stages[${stage}].reports[${index}]`, report, sample, stageId: id })),
    )
    const ofResult = (result?.reports ?? []).map((report, index) => ({
      at: `result.reports[${index}]`,
      report,
      sample,
      stageId: null,
    }))
    return [...ofStages, ...ofResult]
  })
}

function judgeLink({ at, report: { url: link } }: Named): CheckOutcome {
  const url = URL.canParse(link) ? new URL(link) : null
  if (url === null) return failed('a link', `something else at ${at}`)
  if (url.username !== '' || url.password !== '') return failed('no user and no password in a link', `one at ${at}`)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url)))
    return failed('https', `another protocol at ${at}`)
  if (link.length > mostLink) return warning(`at most ${mostLink} characters`, `more at ${at}: the report is left out`)
  return ok()
}

/** An adapter that opens files itself is asked to; else the link is fetched as Feishu does. */
async function judgeFile(named: Named, ground: Ground): Promise<CheckOutcome> {
  if (ground.wire === null && ground.adapter.openReport !== undefined) return judgeOpened(named, ground)
  const url = new URL(named.report.url)
  const head = await ground.files.fetch('HEAD', url)
  const part = await ground.files.fetch('GET', url, 'bytes=0-1023')
  const wrong = [['GET', part] as const, ['HEAD', head] as const].flatMap(([method, answer]) => {
    const complaint = complaintAbout(answer)
    return complaint === null ? [] : [`${method} at ${named.at}: ${complaint}`]
  })
  return wrong[0] === undefined ? ok() : failed('200 or 206 with Content-Type: application/pdf', wrong.join('; '))
}

function complaintAbout(answer: HttpAnswer): string | null {
  // A large file that is sent whole is there all the same.
  if (answer.kind === 'too_large') return null
  if (answer.kind !== 'answer') return answer.message
  if (answer.status >= 300 && answer.status < 400) return `a redirect (${answer.status})`
  if (answer.status !== 200 && answer.status !== 206) return String(answer.status)
  return /^application\/pdf\b/i.test(answer.headers['content-type'] ?? '') ? null : 'another Content-Type'
}

async function judgeOpened({ at, report, sample, stageId }: Named, ground: Ground): Promise<CheckOutcome> {
  const { orderId, second } = sample
  const asked = {
    orderId,
    backgroundCheckId: second.backgroundCheckId ?? '',
    stageId,
    name: report.name,
    url: report.url,
  }
  const call = { signal: AbortSignal.timeout(ground.terms.timeoutMs) }
  try {
    const opened = await ground.adapter.openReport?.(asked, { method: 'GET' }, call)
    if (opened?.kind === 'opened') {
      // What is left of it is not read; a body that breaks off now is nobody's concern.
      opened.body.on('error', () => undefined).destroy()
      return ok()
    }
    const got = opened === undefined ? 'nothing' : 'ambiguous' in opened ? said(opened) : opened.kind
    return failed('a file from openReport', `${got} at ${at}`)
  } catch (thrown) {
    // Its message may have the link.
    return failed(
      'a file from openReport',
      `it threw ${thrown instanceof Error ? thrown.name : typeof thrown} at ${at}`,
    )
  }
}
