import { setTimeout as sleep } from 'node:timers/promises'
import type { Section } from '../support/report.js'
import { baseline, type Contender, whole } from './contenders.js'
import { ask, startProgram } from './process.js'
import type { Settings } from './settings.js'

interface Use {
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

/** One process of each, all at rest at the same time. */
export async function memorySection(contenders: readonly Contender[], { restMs }: Settings): Promise<Section> {
  const resting = contenders.filter(({ prepare }) => prepare === undefined)
  const running = []
  for (const { name, program } of resting) running.push({ name, ...(await startProgram(program)) })
  await sleep(restMs)
  const found: Array<{ name: string } & Use> = []
  for (const each of running) {
    found.push({ name: each.name, ...(await readUse(each.port)) })
    await each.stop()
  }
  const base = found.find(({ name }) => name === baseline)?.rssMb ?? Number.NaN
  const ratioOf = (wanted: string) => (found.find(({ name }) => name === wanted)?.rssMb ?? Number.NaN) / base
  return {
    title: 'Memory at rest',
    head: ['process', 'resident, MiB', 'heap in use, MiB', 'resident, to the baseline'],
    rows: found.map(({ name, rssMb, heapMb }) => [
      name,
      rssMb.toFixed(0),
      heapMb.toFixed(0),
      (rssMb / base).toFixed(2),
    ]),
    aims: [],
    notes: [
      `${restMs / 1000} s after it was ready, with nothing to do. The heap holds what was not collected yet; PostgreSQL's processes are not in it.`,
    ],
    gates: [{ what: 'memory of all roles at rest, to the Express baseline', ratio: ratioOf(whole), most: 4 }],
  }
}
