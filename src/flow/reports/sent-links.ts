import { openDataKey } from '../../platform/crypto/data-key.js'
import type { Sealer } from '../../platform/crypto/sealer.js'
import type { DeliveryBody, FeishuReport } from '../map.js'
import { makeToken } from './link.js'

export interface SentLinksOptions {
  sealer: Sealer
  /** Without a slash at its end. */
  publicUrl: string
  /** How long a link is good after the attempt that it was sent in. */
  ttlMs: number
  now?: () => number
}

/** The delivery of an order that is about to be sent, with the order's data key as it lies in its row. */
export interface Leaving {
  id: string
  backgroundCheckId: string | null
  dataKey: Buffer | null
}

/**
 * Puts links of this service in the place of the vendor's, in what leaves and nowhere else: the row keeps the vendor's
 * link, so that all comparing is between the vendor's words. Each attempt makes new links; those of earlier attempts stay
 * good for their time, since nobody knows which attempt Feishu took.
 */
export function createSentLinks({ sealer, publicUrl, ttlMs, now = Date.now }: SentLinksOptions) {
  return <Content extends DeliveryBody>({ id, backgroundCheckId, dataKey }: Leaving, content: Content): Content => {
    const reports = reportsOf(content)
    if (backgroundCheckId === null || dataKey === null || !reports.some(isFile)) return content
    const key = openDataKey(sealer, backgroundCheckId, dataKey)
    const expiresAt = now() + ttlMs
    const linked = reports.map((report, index) => {
      if (!isFile(report)) return report
      return { ...report, report_url: `${publicUrl}/reports/${makeToken(key, { deliveryId: id, index, expiresAt })}` }
    })
    return { ...content, body: { ...content.body, report_file_list: linked } }
  }
}

/** As the configuration says; in the mode `passthrough` links stay as they are. */
export function linkingOf({ mode, ttlMs, publicUrl }: ReportLinksConfig, sealer: Sealer) {
  if (mode !== 'proxy' || publicUrl === undefined) return {}
  return { linkReports: createSentLinks({ sealer, publicUrl, ttlMs }) }
}

interface ReportLinksConfig {
  mode: 'passthrough' | 'proxy'
  ttlMs: number
  publicUrl?: string
}

export function reportsOf({ body }: DeliveryBody): readonly FeishuReport[] {
  return ('report_file_list' in body ? body.report_file_list : undefined) ?? []
}

/** A page to look at (type 2) is the vendor's own: it is not fetched, and its link goes as it is. */
export function isFile(report: FeishuReport): boolean {
  return report.report_url_type === 1
}
