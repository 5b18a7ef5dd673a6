import type { Section } from '../support/report.js'

/** What profiles of the service at saturation showed; the figures are those of the change, got with the commands of the notes. */
export const changes: Section = {
  title: '(d) What profiles showed, and what was done',
  head: ['what the profile showed', 'what was done', 'before, µs per event', 'after'],
  rows: [
    [
      'a job in Redis for each commit, hundreds in a second',
      'a hint at once, then one for all commits of the next 20 ms',
      '22.3',
      '3.4',
    ],
    [
      'ten SHA-256 objects per event: the key derived anew, the configured side of each comparison hashed anew, the inbox’s key made twice',
      'once per app what follows from the app; one-shot hashes; PostgreSQL answers the key; the signature compared as its 32 bytes',
      '22.9',
      '6.2',
    ],
    [
      'sealed payloads as an array, written and read as hexadecimal digits',
      'one binary value with offsets and lengths',
      '26.8',
      '13.7',
    ],
    ['4 KiB taken and filled for a body that had come in one part', 'such a part is kept as it is', '3.7', '1.7'],
    [
      'a span’s options spread together while nobody exports',
      'set one by one; no check of an id that is none',
      '3.8',
      '0.2',
    ],
    ['garbage of all of these', '–', '25.9', '9.1'],
    ['the whole main thread, under the profiler', '–', '203', '104'],
    ['CPU of the process per event, without the profiler, of the SDK’s in the same run', '–', '0.93', '0.64'],
  ],
  aims: [],
  notes: [
    `Before is 9cb3904 and after 13e714d, the commit after it, each with the benchmark of 7b7ef8c, since they have none of the intake yet. The last row, as in (a): ${commandOf('9cb3904')}, and the same with 13e714d. The rows above it: the same with \`BENCH_NODE_ARGS="--cpu-prof --cpu-prof-dir=../profiles"\` in front of \`npm run bench\`, which leaves the profile of the service’s process; a row is the time of a function with all it calls, as any reader of \`.cpuprofile\` files adds it up, divided by the events. Before and after are two runs on one busy machine, the later less busy: what was not touched (JSON, the answer’s way out) took 0.78 of its time in it, so a change is what went beyond that. CPU against the SDK’s door in the same run is what carries over; (a) measures it anew.`,
    'What is left, by the second profile: the kernel’s part of answers (13 %) and of PostgreSQL’s socket, sealing (8 %, a quarter of it for random nonces one by one), JSON (7 %), decryption (6 %), hashes (6 %).',
  ],
}

/** Where it lies is of no matter. */
function commandOf(commit: string): string {
  const archives = [commit, '7b7ef8c bench'].map((each) => `git archive ${each} | tar x -C ../before`)
  return `\`mkdir ../before && ${archives.join(' && ')} && (cd ../before && npm ci && npm run bench -- intake)\``
}
