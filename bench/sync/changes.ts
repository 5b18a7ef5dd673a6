import type { Section } from '../support/report.js'

/** What profiles of (a) showed, and what was done; the shares are those of the profiles, got with the command of the notes. */
export const changes: Section = {
  title: '(c) What the profiles of (a) showed, and what was done',
  head: ['what was seen', 'what was done'],
  rows: [
    [
      'one settlement at a time: its seven round trips, each behind the event loop, were the whole rate, while the processors were idle for a third of the time',
      'up to three at once, a further one only when it is full, so that a little is still gathered into one transaction',
    ],
    [
      'PostgreSQL settled by the index of what is being sent: it read all that was under way, and every dead entry since the last vacuum, for each settlement',
      'the plan goes by the ids; what a settlement costs grows with itself alone',
    ],
    [
      'the redaction of the log went through each field of each line by itself: two thirds of a line',
      'one look at the names of the fields, with the same names at the same depths',
    ],
    [
      'three statements of a settlement were parsed and planned each time; the next heads were joined pair by pair',
      'they are prepared; the heads come from one pass over the lanes',
    ],
  ],
  aims: [],
  notes: [
    'The profiles are those of `BENCH_NODE_ARGS="--cpu-prof --cpu-prof-dir=../profiles" npm run bench -- sending`, before and after. The shares are of the process’s main thread, whose idle time they show, too.',
    'Left as they are, by the last of them: the writes to the sockets and to the log, which lose nothing when the process dies; the collector, a seventh of the CPU, which takes less with `NODE_OPTIONS=--max-semi-space-size=64`; opening the order’s key and body, a twentieth; spans and metrics, a hundredth each. The count of calls per minute is a statement of its own, the last of its transaction: its rows are wanted by all who settle in that minute, and nothing is locked after them.',
  ],
}
