import { median, spread } from '../support/figures.js'
import type { Section } from '../support/report.js'
import type { Pushed } from './load.js'
import type { Round, Steady, Turn } from './rounds.js'
import type { Settings } from './settings.js'

const head = ['', 'the SDK’s door, which keeps nothing', 'the service, durable']

export function saturationSection({ connections, events }: Settings, rounds: readonly Round[]): Section {
  const of = (figure: (turn: Turn) => number, digits: number) => [
    spread(
      rounds.map(({ sdk }) => figure(sdk)),
      digits,
    ),
    spread(
      rounds.map(({ service }) => figure(service)),
      digits,
    ),
  ]
  const ratios = rounds.map(({ ratio }) => ratio)
  const ratio = median(ratios)
  const p99 = rounds.map(({ service }) => service.p99)
  return {
    title: `(a) At saturation: ${connections} kept connections, each with one push at a time`,
    head,
    rows: [
      ['events per second', ...of((turn) => turn.perSecond, 0)],
      ['… against the SDK’s door, by round', '1', spread(ratios, 2)],
      ['acknowledgement, p50, ms', ...of((turn) => turn.p50, 1)],
      ['acknowledgement, p99, ms', ...of((turn) => turn.p99, 1)],
      ['acknowledgement, longest, ms', ...of((turn) => turn.max, 1)],
      ['CPU of the door’s process per event, µs', ...of((turn) => turn.cpuUsPerEvent, 0)],
      [
        'CPU of PostgreSQL per event, µs',
        '–',
        spread(
          rounds.map(({ postgres }) => postgres.cpuMs * 1000),
          0,
        ),
      ],
      ['CPU of who pushes, of one core', ...of((turn) => turn.cpuShare, 2)],
    ],
    aims: [
      { what: 'at least 1.3 times the SDK’s door', figure: spread(ratios, 2), met: ratio >= 1.3 },
      { what: '2 times, which was hoped for', figure: spread(ratios, 2), met: ratio >= 2 },
      { what: 'p99 below 50 ms', figure: `${spread(p99, 1)} ms`, met: median(p99) < 50 },
    ],
    notes: [
      `${rounds.length} rounds in turns after a warm-up, ${events} events each at either door. On two cores the service shares them with PostgreSQL and with who pushes; the SDK’s door has nothing to share them with but who pushes.`,
    ],
    gates: [{ what: 'durable acknowledgements against the SDK’s door', ratio, least: 1 }],
  }
}

export function steadySection(settings: Settings, rounds: readonly Steady[]): Section {
  const { steadyPerSecond, steadySeconds } = settings
  const of = (door: keyof Steady, figure: (pushed: Pushed) => number) => rounds.map((round) => figure(round[door]))
  const row = (what: string, figure: (pushed: Pushed) => number) => [
    what,
    spread(of('sdk', figure), 1),
    spread(of('service', figure), 1),
  ]
  const p99 = of('service', (pushed) => pushed.p99)
  return {
    title: `(b) ${steadyPerSecond} events per second for ${steadySeconds} s`,
    head,
    rows: [
      row('acknowledgement, p50, ms', (pushed) => pushed.p50),
      row('acknowledgement, p99, ms', (pushed) => pushed.p99),
      row('acknowledgement, longest, ms', (pushed) => pushed.max),
    ],
    aims: [{ what: 'p99 below 15 ms', figure: `${spread(p99, 1)} ms`, met: median(p99) < 15 }],
    notes: [
      `${rounds.length} rounds in turns. One every so often, whatever became of those before; an acknowledgement counts from the moment at which its push was due, so that no wait hides behind another. Node’s timers add up to a millisecond.`,
    ],
  }
}
