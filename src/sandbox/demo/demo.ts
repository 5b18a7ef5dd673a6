import { setTimeout as sleep } from 'node:timers/promises'
import { type Play, startPlay } from './play.js'
import { readRows } from './rows.js'
import { openScreen, type Screen, type Terminal } from './screens.js'
import { type Stage, startStage } from './stage.js'
import { summarize } from './summary.js'
import { judge } from './verdict.js'

export interface Surroundings {
  stdout: Terminal
  stderr: { write(text: string): unknown }
  /** TERM and NO_COLOR are read. */
  env: Readonly<Record<string, string | undefined>>
  /** Aborted when the audience leaves: all is stopped in order. */
  stopped: AbortSignal
}

const frameMs = 100
/** What has not ended by then is reported as missing. */
export const patienceMs = 75_000
/** An incident is news for so long. */
const newsForMs = 3000
/** What would still come after the last order ended, and should not. */
const lingerMs = 1000
/** 130: as a shell reports Ctrl-C. */
export const exit = { ok: 0, failed: 1, usage: 64, interrupted: 130 } as const

/** Plays the whole job in front of an audience. Answers the exit code: 0 when every order reached its end. */
export async function runDemo(args: readonly string[], around: Surroundings): Promise<number> {
  const unknown = args.filter((arg) => arg !== '--keep')
  if (unknown.length > 0) return refuse(around, unknown)
  const { stdout, stopped } = around
  stdout.write('Starting PostgreSQL, the service, a sandbox Feishu and a sandbox vendor …\n')
  const startedAt = performance.now()
  const stage = await startStage()
  try {
    const code = await perform(stage, around, performance.now() - startedAt)
    if (!args.includes('--keep') || stopped.aborted) return code
    stdout.write(`${invitation(stage).join('\n')}\n`)
    await untilAborted(stopped)
    return code
  } finally {
    await stage.stop()
  }
}

function refuse({ stderr }: Surroundings, unknown: readonly string[]): number {
  stderr.write(`unknown: ${unknown.join(' ')}\nusage: npm run demo [-- --keep]\n`)
  return exit.usage
}

async function perform(stage: Stage, around: Surroundings, startedInMs: number): Promise<number> {
  const play = startPlay(stage)
  const playedMs = await watch(stage, play, around)
  if (around.stopped.aborted) return exit.interrupted
  const verdict = judge(stage, play)
  const failed = verdict.missing.length + verdict.violations.length > 0
  const log = failed ? ['The last warnings of the service:', ...stage.warnings] : []
  const lines = summarize({ ...stage, play, startedInMs, playedMs }, verdict)
  around.stdout.write(`${[...lines, ...log].join('\n')}\n`)
  return failed ? exit.failed : exit.ok
}

/** Shows the play to its end, or until patience is over. Answers how long it took, in ms. */
async function watch(stage: Stage, play: Play, { stdout, env, stopped }: Surroundings): Promise<number> {
  const screen = openScreen(stdout, { dumb: env.TERM === 'dumb', colour: !env.NO_COLOR })
  const restore = () => screen.close()
  // Also when the process is made to end in the middle.
  process.once('exit', restore)
  try {
    return await untilEnded(stage, play, screen, stopped)
  } finally {
    screen.close()
    process.off('exit', restore)
  }
}

async function untilEnded(stage: Stage, play: Play, screen: Screen, stopped: AbortSignal): Promise<number> {
  const startedAt = performance.now()
  const elapsed = () => performance.now() - startedAt
  let endedMs: number | undefined
  while (!stopped.aborted && elapsed() < patienceMs) {
    play.act(elapsed())
    const rows = readRows(stage, play)
    screen.show({ elapsedMs: endedMs ?? elapsed(), rows, news: newsOf(play, elapsed()) })
    endedMs = rows.every((row) => row.phase === 'ended') ? (endedMs ?? elapsed()) : undefined
    if (endedMs !== undefined && elapsed() > endedMs + lingerMs) break
    await sleep(frameMs)
  }
  return endedMs ?? elapsed()
}

function newsOf({ happened }: Play, nowMs: number): string {
  const latest = happened.at(-1)
  return latest !== undefined && nowMs - latest.atMs < newsForMs ? latest.says : ''
}

function invitation({ url, feishu, vendor, apiKey, logFile }: Stage): string[] {
  return [
    'Everything stays up until Ctrl-C:',
    '',
    `  service          ${url}`,
    `  API key          ${apiKey}`,
    `  sandbox Feishu   ${feishu.url}/_sandbox`,
    `  sandbox vendor   ${vendor.url}/_sandbox`,
    `  log              ${logFile}`,
    '',
    `  curl -s -H 'Authorization: Bearer ${apiKey}' ${url}/v1/orders`,
  ]
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
