import type { FeishuReport } from '../map.js'
import { hashedStageId, progressOf, resultOf, stageIdOf } from '../orders/stages.js'
import type { ReportToOpen, VendorOrder, VendorReport, VendorStage } from '../vendor/adapter.js'
import { isNamesake, type SentReport } from './find.js'

/**
 * The report of the vendor's latest answer that stands for one that was sent: of the same stage, or of the result, with
 * the same name and type, and of several such the one in the same place among them. Where the vendor names it no longer,
 * it is the one that was sent. Pure.
 */
export function latestOf(sent: SentReport, order: VendorOrder | null): ReportToOpen {
  const { backgroundCheckId, vendorOrderId: orderId, stageId, report } = sent
  const stage = stageId === null || order === null ? undefined : stageOf(stageId, order)
  const latest = order === null ? undefined : standingFor(sent, stage, order)
  return {
    orderId,
    backgroundCheckId,
    stageId: stage?.id ?? stageId,
    name: latest?.name ?? report.report_name,
    url: latest?.url ?? report.report_url,
  }
}

/** As polls name stages for Feishu: by the vendor's id, or by its hash. */
function stageOf(stageId: string, { stages }: VendorOrder): VendorStage | undefined {
  return stages.find(({ id }) => stageIdOf(id) === stageId) ?? stages.find(({ id }) => hashedStageId(id) === stageId)
}

function standingFor(sent: SentReport, stage: VendorStage | undefined, order: VendorOrder): VendorReport | undefined {
  const [named, shaped] = sent.stageId === null ? ofResult(order) : ofStage(stage)
  const found = shaped.filter((each) => isNamesake(each, sent.report))[sent.namesakes]
  return named.find((each) => each.url === found?.report_url)
}

/** As the vendor named them, and as Feishu would get them: names are shortened on the way. */
type Reports = readonly [readonly VendorReport[], readonly FeishuReport[]]

function ofStage(stage: VendorStage | undefined): Reports {
  return stage === undefined ? [[], []] : [stage.reports, progressOf('', stage, 0).body.report_file_list ?? []]
}

function ofResult({ result }: VendorOrder): Reports {
  return result === undefined ? [[], []] : [result.reports, resultOf('', result, 0).body.report_file_list ?? []]
}
