import type { Parts } from '../app.js'
import { createReceiver } from '../flow/from-feishu/receiver.js'
import { createRefusalWarning } from '../flow/from-feishu/refusal-warning.js'
import { createInbox } from '../flow/inbox/accept.js'
import { createUnavailableWarning } from '../flow/inbox/unavailable-warning.js'
import { startReports } from '../flow/reports/start.js'
import { createReportsDoor } from '../operate/reports.js'
import type { Lifetime } from '../platform/lifetime.js'
import type { Access } from './parts.js'

/** What answers Feishu, and whoever opens a report. The caller stops the reports: ahead of the listener that streams them. */
export async function startReceiverRole(parts: Parts, openVendor: Access['vendor'], lifetime: Lifetime) {
  const reports = createReportsDoor(await startReports(parts, openVendor), parts)
  return { webhook: startWebhook(parts, lifetime), reports }
}

function startWebhook({ config, database, sealer, hints, metrics, log }: Parts, lifetime: Lifetime) {
  const warnOfRefusal = createRefusalWarning(log)
  const inbox = lifetime.add(
    createInbox({
      database,
      sealer,
      onAccepted: () => hints.send('inbox'),
      onBatch: (size) => metrics.acceptedBatch.observe(size),
      onUnavailable: createUnavailableWarning(log),
    }),
  )
  return createReceiver({
    apps: config.feishu.apps,
    inbox,
    maxEventAgeMs: config.feishu.maxEventAgeMs,
    onAnswer: (status, reason, elapsedMs) => {
      warnOfRefusal(status, reason)
      metrics.webhookAnswers.inc({ status: String(status), reason })
      metrics.webhookSeconds.observe(elapsedMs / 1000)
    },
  })
}
