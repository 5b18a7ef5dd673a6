import { setTimeout as sleep } from 'node:timers/promises'
import { median, spread } from '../support/figures.js'
import type { Section } from '../support/report.js'
import { baseline, type Contender, keyOf, whole } from './contenders.js'
import { ask, startProgram } from './process.js'
import type { Settings } from './settings.js'

export interface Use {
  rssMb: number
  heapMb: number
}

/** As the process itself says it on /metrics. */
async function readUse(port: number): Promise<Use> {
  const { text } = await ask(port, '/metrics')
  const read = (name: string) => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN)
  return {
    rssMb: read('bgc_process_resident_memory_bytes') / 1024 ** 2,
    heapMb: read('bgc_nodejs_heap_size_used_bytes') / 1024 ** 2,
  }
}

/** One process of each, all at rest at the same time; each round starts them anew. */
export async function restAll(contenders: readonly Contender[], { restRounds, restMs }: Settings) {
  const resting = contenders.filter(({ prepare }) => prepare === undefined)
  const found = new Map<string, Use[]>(resting.map((each) => [keyOf(each), []]))
  for (let round = 0; round < restRounds; round += 1) {
    const running = []
    for (const each of resting) running.push({ key: keyOf(each), ...(await startProgram(each.program)) })
    await sleep(restMs)
    for (const each of running) {
      found.get(each.key)?.push(await readUse(each.port))
      await each.stop()
    }
  }
  return found
}

export function memorySection(
  contenders: readonly Contender[],
  found: ReadonlyMap<string, readonly Use[]>,
  { restRounds, restMs }: Settings,
): Section {
  const of = (name: string, figure: keyof Use) => (found.get(name) ?? []).map((use) => use[figure])
  const base = median(of(baseline, 'rssMb'))
  const names = contenders.filter(({ name, isOther }) => found.has(name) && !isOther).map(({ name }) => name)
  const ratioOf = (name: string) => median(of(name, 'rssMb')) / base
  return {
    title: 'Memory at rest',
    head: ['process', 'resident, MiB', 'heap in use, MiB', 'resident, to the baseline'],
    rows: names.map((name) => [
      name,
      spread(of(name, 'rssMb'), 0),
      spread(of(name, 'heapMb'), 0),
      ratioOf(name).toFixed(2),
    ]),
    aims: [],
    notes: [
      `${restMs / 1000} s after the last of all was ready, with nothing to do, ${restRounds} rounds. The heap holds what was not collected yet; PostgreSQL's processes are not in it.`,
    ],
    gates: [{ what: 'memory of all roles at rest, to the Express baseline', ratio: ratioOf(whole), most: 4 }],
  }
}
