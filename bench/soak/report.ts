import { quantile } from '../support/figures.js'
import { busy, describeMachine } from '../support/machine.js'
import { type Aim, type Section, writeReport } from '../support/report.js'
import { chart, marks, scaleOf } from './chart.js'
import type { Seen } from './run.js'
import { processSeries, redisSeries, storeSeries } from './series.js'
import type { Settings } from './settings.js'
import { livesOf, type Point } from './slope.js'
import { inAWord, isQuiet, type Terms } from './verdict.js'

export async function writeSoakReport(
  settings: Settings,
  seen: Seen,
  aims: readonly Aim[],
  broken: readonly string[],
  terms: Terms,
  loadBefore: string,
): Promise<void> {
  await writeReport('soak', introduction(settings, seen, aims, loadBefore), [
    verdictSection(aims, broken, terms),
    latencySection(seen),
    faultSection(seen),
    storeSection(seen),
    chartSection(seen),
  ])
}

function introduction(settings: Settings, seen: Seen, aims: readonly Aim[], loadBefore: string): string {
  const { lastsMs, rate, mode, command, note } = settings
  const minutes = lastsMs / 60_000
  const length = minutes >= 60 ? `${(minutes / 60).toFixed(1)} h` : `${minutes.toFixed(1)} min`
  const whole = mode === 'redis' ? 'two processes, PostgreSQL and Redis' : 'one process with its own PostgreSQL'
  const verdict = aims.every(({ met }) => met) ? 'what was measured holds' : '**not everything holds**'
  return `# A soak: a steady load, faults, and what grows

Written by \`${command}\` on ${new Date().toISOString().slice(0, 10)}: ${verdict}.

- ${length}, ${rate} orders per second asked for, 20 tenants, ${whole}; ${seen.checks} orders, ${seen.calls} calls to Feishu, ${seen.vendorCalls} to the vendor, ${seen.lived.length} faults
${describeMachine(seen.postgres)}
- load before ${loadBefore}, after ${busy()}; the soak's own processes are in the latter
- the customers, both sandboxes and every link are one process, whose memory is not counted: the sandboxes forget nothing${ownMemory(seen)}${note && `\n- ${note}`}`
}

function ownMemory({ samples }: Seen): string {
  const show = (value: number | undefined) => (value ?? Number.NaN).toFixed(0)
  return ` (${show(samples[0]?.ownRssMiB)} MiB at the beginning, ${show(samples.at(-1)?.ownRssMiB)} at the end)`
}

function verdictSection(aims: readonly Aim[], broken: readonly string[], terms: Terms): Section {
  const seconds = (ms: number) => `${(ms / 1000).toFixed(0)} s`
  return {
    title: 'Verdict',
    head: ['what', 'figure', ''],
    rows: aims.map((aim) => [aim.what, aim.figure, aim.met ? inAWord(aim) : `**${inAWord(aim)}**`]),
    aims: [],
    notes: [
      `Slopes are Theil–Sen's within the lives of processes, without the first ${seconds(terms.warmUpMs)} of each and without lives that went on for less than ${seconds(terms.leastLifeMs)} after it. Their bound is what a long soak may show, or what a collector may leave within this one, whichever is more: a short soak sees large leaks only. Thirds are compared by their medians, outside of faults and the 12 s after each; the last may be a fifth above the first, and a little.`,
      ...(broken.length === 0 ? [] : [`What is broken:\n\n${broken.map((each) => `- ${each}`).join('\n')}`]),
    ],
  }
}

function latencySection({ latencies, lived }: Seen): Section {
  const row = (what: string, points: readonly Point[]) => {
    const values = points.map(({ value }) => value)
    const ms = (share: number) => (values.length === 0 ? '–' : `${quantile(values, share).toFixed(0)} ms`)
    return [what, String(values.length), ms(0.5), ms(0.99), ms(1)]
  }
  const both = (what: string, points: readonly Point[]) => [
    row(
      `${what}, outside of faults`,
      points.filter(({ at }) => isQuiet(at, lived)),
    ),
    row(
      `${what}, in and after faults`,
      points.filter(({ at }) => !isQuiet(at, lived)),
    ),
  ]
  return {
    title: 'How long it took',
    head: ['', 'number', 'p50', 'p99', 'most'],
    rows: [
      ...both('event pushed → first call to the vendor', latencies.toVendor),
      ...both('vendor changed → first call to Feishu', latencies.toFeishu),
    ],
    aims: [],
    notes: [
      'Orders are polled every 0.5 to 5 s; stages and results of an order go one after the other, within its tenant’s windows. A call whose answer was lost is looked for in Feishu after 2, 10 and 60 s before it is made again, and what is behind it waits; that counts as late here also when the fault was over.',
    ],
  }
}

function faultSection({ lived, ends }: Seen): Section {
  const names = [...new Set(lived.map(({ name }) => name))].sort()
  return {
    title: 'Faults',
    head: ['fault', 'times', 'longest', 'felt'],
    rows: names.map((name) => {
      const those = lived.filter((each) => each.name === name)
      const longestMs = Math.max(...those.map(({ from, to }) => to - from))
      const felt = those.reduce((total, { bites }) => total + bites, 0)
      return [name, String(those.length), `${(longestMs / 1000).toFixed(1)} s`, String(felt)]
    }),
    aims: [],
    notes: [`Processes that ended by themselves: ${ends.length}.`],
  }
}

function storeSection({ tables, windows, limited }: Seen): Section {
  return {
    title: 'At the end',
    head: ['table', 'MiB with indexes', 'live tuples', 'dead tuples'],
    rows: tables.map(({ name, mib, live, dead }) => [name, mib.toFixed(2), live.toFixed(0), dead.toFixed(0)]),
    aims: [],
    notes: [
      `Worst windows at Feishu's door: ${windows.join(', ')}; calls that it refused for their rate: ${limited}.`,
      'What has ended is kept until its retention is over, so most tables grow with the orders. PostgreSQL forgets its count of tuples when it is killed.',
    ],
  }
}

function chartSection({ samples, lived }: Seen): Section {
  const scale = scaleOf(samples.map(({ at }) => at))
  const line = (name: string, points: readonly Point[], digits = 0) => chart(name, points, scale, digits)
  const lives = (what: string, of: 'rssMiB' | 'heapMiB') =>
    livesOf(processSeries(samples, of)).map((life, index) => line(`${what}, life ${index + 1}`, life, 1))
  return {
    title: 'Over time',
    head: ['the least and the most stand at the end of each line'],
    rows: [],
    aims: [],
    notes: [
      [
        '```',
        marks('faults', lived, scale),
        ...lives('RSS MiB', 'rssMiB'),
        ...lives('heap MiB', 'heapMiB'),
        line('loop lag p99 ms', processSeries(samples, 'loopLagMs'), 1),
        line('open files', processSeries(samples, 'files')),
        line('PostgreSQL connections', storeSeries(samples, 'connections')),
        line('database MiB', storeSeries(samples, 'databaseMiB'), 1),
        line('dead tuples', storeSeries(samples, 'deadTuples')),
        line('orders open', storeSeries(samples, 'ordersOpen')),
        line('events waiting', storeSeries(samples, 'eventsWaiting')),
        line('deliveries waiting', storeSeries(samples, 'deliveriesWaiting')),
        line('oldest delivery s', storeSeries(samples, 'oldestDeliveryS'), 1),
        line('polls late s', storeSeries(samples, 'pollsLateS'), 1),
        line('Redis keys', redisSeries(samples, 'redisKeys')),
        line('Redis MiB', redisSeries(samples, 'redisMiB'), 2),
        '```',
      ].join('\n'),
    ],
  }
}
