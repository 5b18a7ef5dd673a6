import type { CallRecord, SandboxFeishu, SandboxVendor, WorstWindow } from '../index.js'
import { customers } from './lives.js'
import type { Play } from './play.js'
import { readRows } from './rows.js'
import type { Verdict } from './verdict.js'
import { padTo, widthOf } from './width.js'

export interface Run {
  feishu: SandboxFeishu
  vendor: SandboxVendor
  play: Play
  startedInMs: number
  playedMs: number
}

/** What the demo showed, as lines. */
export function summarize(run: Run, verdict: Verdict): string[] {
  const { feishu, vendor, play, startedInMs, playedMs } = run
  const rows = readRows({ feishu, vendor }, play)
  const ended = rows.filter((row) => row.phase === 'ended')
  return [
    '',
    `${ended.length} of ${rows.length} orders ended; up after ${seconds(startedInMs)}, played for ${seconds(playedMs)}`,
    '',
    line('orders in Feishu', counted(rows.map((row) => row.state))),
    line('calls to Feishu', counted(feishu.calls().map((call) => call.api ?? 'unknown'))),
    line('  repeated', counted(repeats(feishu))),
    line('  spoiled on purpose', counted(faultsOf(feishu.calls()))),
    line('calls to the vendor', counted(vendor.calls().map((call) => call.operation ?? 'unknown'))),
    line('  spoiled on purpose', counted(faultsOf(vendor.calls()))),
    line('events', events(feishu)),
    line('worst rate windows', worst(feishu.worstWindows())),
    line('promises', promises(feishu, verdict)),
    '',
    ...verdict.violations.map(({ rule, detail, calls }) => `broken: ${rule}: ${detail} (calls ${calls.join(', ')})`),
    ...verdict.missing.map((text) => `missing: ${text}`),
  ]
}

const nameColumns = 23
const lineColumns = 80

/** Broken after commas, and indented below its name. */
function line(name: string, content: string): string {
  const lines = ['']
  for (const part of (content || 'none').split(/(?<=, )/)) {
    const last = lines.length - 1
    const full = widthOf(`${lines[last]}${part}`.trimEnd()) > lineColumns - nameColumns
    if (full && lines[last] !== '') lines.push(part)
    else lines[last] += part
  }
  const indent = `\n${' '.repeat(nameColumns)}`
  return `  ${padTo(name, nameColumns - 2)}${lines.map((each) => each.trimEnd()).join(indent)}`
}

function counted(names: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  const sorted = [...counts].sort(([, a], [, b]) => b - a)
  return sorted.map(([name, count]) => `${count} ${name}`).join(', ')
}

/** Calls that were made before for the same thing. */
function repeats(feishu: SandboxFeishu): string[] {
  const seen = new Set<string>()
  return feishu.calls().flatMap((call) => {
    if (call.backgroundCheckId === undefined) return []
    const key = [call.api, call.backgroundCheckId, stageIdOf(call)].join(' ')
    if (seen.has(key)) return [call.api ?? 'unknown']
    seen.add(key)
    return []
  })
}

function stageIdOf({ body }: CallRecord): string {
  return typeof body === 'object' && body !== null && 'stage_id' in body ? String(body.stage_id) : ''
}

function faultsOf(calls: ReadonlyArray<{ fault?: string }>): string[] {
  return calls.flatMap(({ fault }) => (fault === undefined ? [] : [fault.replaceAll('_', ' ')]))
}

function events(feishu: SandboxFeishu): string {
  const all = feishu.events()
  const attempts = all.flatMap((event) => event.attempts)
  const again = attempts.length - all.length
  const refused = attempts.filter((attempt) => attempt.outcome !== undefined && attempt.outcome !== 'acknowledged')
  const acknowledged = all.filter((event) => event.acknowledged).length
  return `${all.length} sent, ${acknowledged} acknowledged, ${again} redeliveries and copies, ${refused.length} not answered with 200`
}

const windowsShown = 3

function worst(windows: readonly WorstWindow[]): string {
  const fullest = [...windows].sort((a, b) => b.worst / b.limit - a.worst / a.limit).slice(0, windowsShown)
  return fullest
    .map(
      ({ bucket, worst: count, limit, windowMs }) => `${describe(bucket)} ${count} of ${limit} in ${windowMs / 1000} s`,
    )
    .join(', ')
}

function describe(bucket: string): string {
  const [, tenantKey, api] = bucket.split('|')
  const customer = Object.values(customers).find((one) => one.tenantKey === tenantKey)
  return `${customer?.name ?? tenantKey} ${api?.replace('background_check_', '')}`
}

function promises(feishu: SandboxFeishu, { violations }: Verdict): string {
  const broken = violations.length === 0 ? 'none' : String(violations.length)
  return `${broken} broken in ${feishu.calls().length} calls: order, once each, stage times, nothing after the end, windows`
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
