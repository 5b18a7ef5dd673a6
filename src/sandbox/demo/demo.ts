import { setTimeout as sleep } from 'node:timers/promises'
import { type Play, startPlay } from './play.js'
import { readRows } from './rows.js'
import { openScreen, type Screen, type Terminal } from './screens.js'
import { type Stage, startStage } from './stage.js'
import { summarize } from './summary.js'
import { judge } from './verdict.js'

/** What of `process` is used. */
export interface Surroundings {
  stdout: Terminal
  stderr: { write(text: string): unknown }
  env: Readonly<Record<string, string | undefined>>
  on(event: 'SIGINT' | 'SIGTERM', listener: () => void): unknown
}

const frameMs = 100
const patienceMs = 75_000
/** What would still come after the last order ended, and should not. */
const lingerMs = 1000
const exit = { ok: 0, failed: 1, usage: 64, interrupted: 130 } as const

/** Plays the whole job in front of an audience. Answers the exit code: 0 when every order reached its end. */
export async function runDemo(args: readonly string[], around: Surroundings): Promise<number> {
  const unknown = args.filter((arg) => arg !== '--keep')
  if (unknown.length > 0) return refuse(around, unknown)
  const stopped = onSignal(around)
  const startedAt = performance.now()
  around.stdout.write('Starting an embedded PostgreSQL, the service, a sandbox Feishu and a sandbox vendor …\n')
  const stage = await startStage()
  try {
    const code = await perform(stage, around, stopped, performance.now() - startedAt)
    if (!args.includes('--keep') || stopped.aborted) return code
    around.stdout.write(`${invitation(stage).join('\n')}\n`)
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

function onSignal(around: Surroundings): AbortSignal {
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    around.on(signal, () => {
      // Asked twice, it does not wait for the others.
      if (stopping.signal.aborted) process.exit(exit.interrupted)
      stopping.abort()
    })
  }
  return stopping.signal
}

async function perform(
  stage: Stage,
  { stdout, env }: Surroundings,
  stopped: AbortSignal,
  startedInMs: number,
): Promise<number> {
  const screen = openScreen(stdout, { dumb: env.TERM === 'dumb', colour: !env.NO_COLOR })
  const restore = () => screen.close()
  process.once('exit', restore)
  const play = startPlay(stage)
  const playedMs = await watch(stage, play, screen, stopped)
  screen.close()
  process.off('exit', restore)
  if (stopped.aborted) return exit.interrupted
  const verdict = judge(stage, play)
  const lines = summarize({ ...stage, play, startedInMs, playedMs }, verdict)
  const failed = verdict.missing.length + verdict.violations.length > 0
  const log = failed ? ['The last warnings of the service:', ...stage.warnings] : []
  stdout.write(`${[...lines, ...log].join('\n')}\n`)
  return failed ? exit.failed : exit.ok
}

/** Until every order has ended, or patience has. Answers how long that took, in ms. */
async function watch(stage: Stage, play: Play, screen: Screen, stopped: AbortSignal): Promise<number> {
  const startedAt = performance.now()
  const elapsed = () => performance.now() - startedAt
  let endedMs: number | undefined
  while (!stopped.aborted && elapsed() < patienceMs) {
    play.act(elapsed())
    const rows = readRows(stage, play)
    screen.show({ elapsedMs: endedMs ?? elapsed(), rows, news: play.happened.at(-1)?.says ?? '' })
    endedMs = rows.every((row) => row.phase === 'ended') ? (endedMs ?? elapsed()) : undefined
    if (endedMs !== undefined && elapsed() > endedMs + lingerMs) break
    await sleep(frameMs)
  }
  return endedMs ?? elapsed()
}

function invitation({ url, feishu, vendor, apiKey, logFile }: Stage): string[] {
  return [
    'Everything stays up until Ctrl-C:',
    '',
    `  service          ${url}`,
    `  console          ${url}/console`,
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
