import type { Section } from '../support/report.js'

/** What profiles of (a) showed before, and what was done; the shares are theirs, got with the command of the notes. */
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
    `Before is faaf058 and after 622ec52, the commit after it. ${commandOf('faaf058')} measures the first one as part (a), the same with 622ec52 the second; \`BENCH_NODE_ARGS="--cpu-prof --cpu-prof-dir=../profiles"\` in front of \`npm run bench\` leaves the profiles of which the table tells: its shares are of the process’s main thread, with its idle time. 7b7ef8c has the first benchmark that knows these options. No report of before is in the history, so no figure of it stands here; the first report after is that of 26cd715.`,
    'Left as they are, by the last of them: the writes to the sockets and to the log, which lose nothing when the process dies; the collector, a seventh of the CPU, which takes less with `NODE_OPTIONS=--max-semi-space-size=64`; opening the order’s key and body, a twentieth; spans and metrics, a hundredth each. The count of calls per minute is a statement of its own, the last of its transaction: its rows are wanted by all who settle in that minute, and nothing is locked after them.',
  ],
}

/** Where it lies is of no matter. */
function commandOf(commit: string): string {
  const archives = [commit, '7b7ef8c bench'].map((each) => `git archive ${each} | tar x -C ../before`)
  return `\`mkdir ../before && ${archives.join(' && ')} && (cd ../before && npm ci && npm run bench -- sending)\``
}
