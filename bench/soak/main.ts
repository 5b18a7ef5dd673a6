// `npm run soak`: hours of a steady load with faults, after which nothing has grown and nothing is lost.
import { rm } from 'node:fs/promises'
import { busy } from '../support/machine.js'
import type { Aim } from '../support/report.js'
import { writeSoakReport } from './report.js'
import { type Seen, soak } from './run.js'
import { checkAll } from './series.js'
import { help, readSettings } from './settings.js'
import { checkPromises, inAWord, isQuiet, sortBroken, termsFor } from './verdict.js'

const mostWords = 40

async function main(): Promise<number> {
  const settings = readSettings(process.argv.slice(2))
  const tell = (line: string) => void process.stdout.write(`${line}\n`)
  if (typeof settings === 'string') {
    tell(settings)
    return settings === help ? 0 : 2
  }
  tell(settings.command)
  const loadBefore = busy()
  const seen = await soak(settings, tell)
  const terms = termsFor(settings.lastsMs)
  const sorted = sortBroken(seen.found)
  const aims = [
    ...checkAll(seen.samples, seen.latencies, seen.lived, terms),
    ...checkTheEnd(seen),
    ...checkPromises(sorted),
  ]
  const { unfelt, ...promises } = sorted
  const words = [...seen.left, ...Object.values(promises).flat()].slice(0, mostWords)
  await writeSoakReport(settings, seen, aims, words, terms, loadBefore)
  for (const aim of aims) tell(`${inAWord(aim).padEnd(6)} ${aim.what}: ${aim.figure}`)
  for (const each of [...words, ...unfelt]) tell(`- ${each}`)
  const holds = aims.every(({ met }) => met)
  if (holds) await rm(seen.folder, { recursive: true, force: true })
  else tell(`again: ${settings.command}\nlogs of the processes: ${seen.folder}`)
  return holds ? 0 : 1
}

/** A process may end by itself in or right after a fault, and another takes its place; otherwise it has crashed. */
function checkTheEnd({ left, settledInMs, ends, lived, checks }: Seen): Aim[] {
  const crashes = ends.filter((at) => isQuiet(at, lived)).length
  const settled =
    left.length === 0 ? `after ${(settledInMs / 1000).toFixed(1)} s` : `${left.length} things are under way`
  return [
    { what: 'everything settled', figure: settled, met: left.length === 0 },
    { what: 'processes that crashed without a fault', figure: String(crashes), met: crashes === 0 },
    { what: 'orders that were made', figure: String(checks), met: checks > 0 },
  ]
}

// What it started ends with it.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(130))
process.exit(await main())
