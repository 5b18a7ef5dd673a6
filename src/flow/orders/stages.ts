import { createHash } from 'node:crypto'
import type { CancelBody, FeishuReport, ProgressBody, ResultBody } from '../map.js'
import type { TimelineNote } from '../timeline.js'
import type { VendorReport, VendorResult, VendorStage } from '../vendor/adapter.js'

/**
 * From the vendor's words to Feishu's bodies: pure. Whatever has to be left out or cut is said in a note.
 * Feishu documents no sizes for these fields; the caps are those of docs/feishu.md §3.2.
 */
const longestText = 100
const longestUrl = 2048
const mostReports = 20

export interface Shaped<Body> {
  body: Body
  notes: TimelineNote[]
}

/** The vendor's id where Feishu surely takes it, else a stable hash of it. */
export function stageIdOf(vendorId: string): string {
  return /^[A-Za-z0-9_-]{1,36}$/.test(vendorId) ? vendorId : hashedStageId(vendorId)
}

export function hashedStageId(vendorId: string): string {
  return createHash('sha256').update(vendorId).digest('hex').slice(0, 32)
}

export function progressOf(backgroundCheckId: string, stage: VendorStage, stageTime: number): Shaped<ProgressBody> {
  const notes: TimelineNote[] = []
  const id = stageIdOf(stage.id)
  const note = noter(notes, { stage_id: id })
  const reports = shapeReports(stage.reports, note)
  // Feishu refuses a stage result that no report backs (contract §3.2).
  const result = reports.length > 0 ? stage.result : undefined
  if (stage.result !== undefined && result === undefined) note('result_left_out', {})
  const body: ProgressBody = {
    background_check_id: backgroundCheckId,
    stage_id: id,
    stage_name: shorten(stage.name, 'stage_name', note),
    ...(stage.enName !== undefined && { stage_en_name: shorten(stage.enName, 'stage_en_name', note) }),
    stage_time: String(stageTime),
    ...(result !== undefined && { result: shorten(result, 'result', note) }),
    ...(reports.length > 0 && { report_file_list: reports }),
  }
  return { body, notes }
}

export function resultOf(backgroundCheckId: string, result: VendorResult, resultTime: number): Shaped<ResultBody> {
  const notes: TimelineNote[] = []
  const note = noter(notes, {})
  const reports = shapeReports(result.reports, note)
  const body: ResultBody = {
    background_check_id: backgroundCheckId,
    result: shorten(result.result, 'result', note),
    result_time: String(resultTime),
    ...(reports.length > 0 && { report_file_list: reports }),
  }
  return { body, notes }
}

export function cancelOf(backgroundCheckId: string): CancelBody {
  return { background_check_id: backgroundCheckId }
}

/** The `stage_id` of the last stage of a check that was stopped. */
export const terminated = 'terminated'
const stopped = { name: '已终止', enName: 'Terminated' }

/** The last stage of an order that the vendor stopped; `null` where the vendor's own last stage says so already. */
export function terminatedStage(stages: readonly VendorStage[], time: number): VendorStage | null {
  const last = stages.at(-1)
  if (last !== undefined && isStopped(last.name, last.enName)) return null
  const used = new Set(stages.map((stage) => stageIdOf(stage.id)))
  let id = terminated
  for (let next = 2; used.has(id); next += 1) id = `${terminated}-${next}`
  return { id, ...stopped, time, reports: [] }
}

/** Whether a stage tells that the check was stopped. */
export function saysStopped(body: ProgressBody): boolean {
  return isStopped(body.stage_name, body.stage_en_name)
}

function isStopped(name: string, enName: string | undefined): boolean {
  return name.trim() === stopped.name || enName?.trim().toLowerCase() === stopped.enName.toLowerCase()
}

/** What the last stage of a check says that an operator stopped, in words of the operator's or our own. */
export function stoppedStage(name: string | undefined): Pick<ProgressBody, 'stage_name' | 'stage_en_name'> {
  return name === undefined ? { stage_name: stopped.name, stage_en_name: stopped.enName } : { stage_name: name }
}

export function isTerminatedStage(body: ProgressBody): boolean {
  return body.stage_name === stopped.name && /^terminated(-\d+)?$/.test(body.stage_id)
}

/** What a body says, links and time aside: a change of it after the first attempt is flagged. */
export function contentOf(body: ProgressBody | ResultBody | CancelBody): string {
  const { report_file_list: reports, ...rest } = body as ProgressBody & Partial<ResultBody>
  const { stage_time: _stageTime, result_time: _resultTime, ...content } = rest
  return JSON.stringify([content, reports?.map((report) => [report.report_name, report.report_url_type])])
}

type Note = (kind: TimelineNote['kind'], detail: Record<string, string | number>) => void

function noter(notes: TimelineNote[], about: Record<string, string>): Note {
  return (kind, detail) => {
    notes.push({ kind, detail: { ...about, ...detail } })
  }
}

function shapeReports(reports: readonly VendorReport[], note: Note): FeishuReport[] {
  const fitting = reports.filter((report) => report.url.length <= longestUrl).slice(0, mostReports)
  if (fitting.length < reports.length) note('report_left_out', { reports: reports.length - fitting.length })
  return fitting.map((report) => ({
    report_name: shorten(report.name, 'report_name', note),
    report_url: report.url,
    report_url_type: report.type,
  }))
}

function shorten(text: string, field: string, note: Note): string {
  const characters = [...text]
  if (characters.length <= longestText) return text
  note('value_shortened', { field, characters: characters.length })
  return characters.slice(0, longestText).join('')
}
