import { quantile, spread, sum } from '../support/figures.js'
import type { Section } from '../support/report.js'
import type { Ground } from './database.js'
import type { Round } from './rounds.js'

type Times = { p50: number; p99: number }

/** What lies below an acknowledgement at saturation. */
export async function commitSection(ground: Ground, rounds: readonly Round[], oneRow: Times): Promise<Section> {
  const of = (figure: (round: Round) => number, digits: number) => spread(rounds.map(figure), digits)
  const ms = (share: number) => (round: Round) =>
    quantile(
      round.commits.map((commit) => commit.ms),
      share,
    )
  const events = ({ commits }: Round) => sum(commits.map((commit) => commit.events)) / commits.length
  return {
    title: '(c) Below it: commits at saturation',
    head: ['', ''],
    rows: [
      ['events per commit', of(events, 1)],
      ['commit as the service waits for it, p50, ms', of(ms(0.5), 1)],
      ['commit as the service waits for it, p99, ms', of(ms(0.99), 1)],
      ['flushes of the log (WAL) per event', of(({ postgres }) => postgres.walSyncs, 3)],
      ['WAL per event, bytes', of(({ postgres }) => postgres.walBytes, 0)],
      ['insert of one row, alone, p50 and p99, ms', `${oneRow.p50.toFixed(1)}, ${oneRow.p99.toFixed(1)}`],
    ],
    aims: [],
    notes: [
      `One statement per commit: a row and an index entry in \`seen_events\`, a row in \`events\`, which has ${await ground.indexes()} indexes, two of them partial and without an entry for a new event. The server: ${await ground.durability()}.`,
    ],
  }
}
