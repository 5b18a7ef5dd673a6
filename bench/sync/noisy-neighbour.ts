import { setTimeout as sleep } from 'node:timers/promises'
import { wakePumps } from '../../src/flow/to-feishu/wake-pumps.js'
import { type Child, startChild } from '../support/child.js'
import { quantile, spread } from '../support/figures.js'
import type { Section } from '../support/report.js'
import type { Stores } from '../support/stores.js'
import { until } from '../support/wait.js'
import type { Arrival } from './door.js'
import { freshIds, putOrders } from './rows.js'
import { type Settings, storeApp, windowsOf } from './settings.js'
import { startWorld, type World } from './world.js'

const latencyMs = 20
const quietEveryMs = 1000
/** Tokens are fetched and code is warm before anything is timed. */
const warmUpMs = 3000

interface Run {
  alone: number[]
  beside: number[]
  noisyCalls: number
}

/** (b) A tenant with a large backlog beside tenants with a stage each second. */
export async function noisyNeighbour(stores: Stores, settings: Settings): Promise<Section> {
  const door = await startChild('sync/door')
  await door.ask('set', { latencyMs, ids: true })
  const feishuUrl = await door.ask<string>('url')
  const runs: Run[] = []
  for (let round = 0; round < settings.rounds; round += 1) {
    const world = await startWorld({ stores, feishuUrl, processes: 1, windows: windowsOf(settings) })
    try {
      await trickle(world, door, settings.quietTenants, warmUpMs)
      const alone = await trickle(world, door, settings.quietTenants, settings.quietMs)
      const noisy = { appId: storeApp.appId, tenantKey: 'tk_noisy' }
      const { bucket } = await putOrders(world, noisy, freshIds(settings.noisyBacklog))
      await world.database.pool.query('ANALYZE deliveries')
      wakePumps(world.hints, [bucket])
      const beside = await trickle(world, door, settings.quietTenants, settings.quietMs)
      const noisyCalls = (await door.ask<Arrival[]>('arrivals', [noisy.tenantKey])).length
      runs.push({ alone, beside, noisyCalls })
    } finally {
      await world.stop()
      await door.ask('reset')
    }
  }
  await door.stop()
  return section(settings, runs)
}

/** Answers the time from due to the door of each quiet tenant's stages, in ms. */
async function trickle(world: World, door: Child, count: number, ms: number): Promise<number[]> {
  const tenants = Array.from({ length: count }, (_, index) => `tk_quiet_${index}`)
  const due = new Map<string, number>()
  const end = performance.now() + ms
  await Promise.all(
    tenants.map(async (tenantKey, index) => {
      await sleep((index * quietEveryMs) / count)
      while (performance.now() < end) {
        const put = await putOrders(world, { appId: storeApp.appId, tenantKey }, freshIds(1))
        wakePumps(world.hints, [put.bucket])
        for (const [id, at] of put.due) due.set(id, at)
        await sleep(quietEveryMs)
      }
    }),
  )
  const waitsUntilNow = async () =>
    (await door.ask<Arrival[]>('arrivals', tenants)).flatMap(({ id = '', at }) => {
      const dueAt = due.get(id)
      return dueAt === undefined ? [] : [at - dueAt]
    })
  await until('all stages arrive', async () => (await waitsUntilNow()).length >= due.size, 60_000, quietEveryMs)
  const waits = await waitsUntilNow()
  if (waits.length > due.size) throw new Error(`${due.size} stages were due, ${waits.length} came`)
  return waits
}

function section(settings: Settings, runs: readonly Run[]): Section {
  const of = (which: 'alone' | 'beside', share: number) => runs.map((run) => quantile(run[which], share))
  const shares: Array<[string, number]> = [
    ['median', 0.5],
    ['p95', 0.95],
    ['p99', 0.99],
    ['most', 1],
  ]
  const ratios = (share: number) => of('beside', share).map((each, index) => each / (of('alone', share)[index] ?? 1))
  const all = (which: 'alone' | 'beside') => runs.flatMap((run) => run[which])
  const p99 = { alone: quantile(all('alone'), 0.99), beside: quantile(all('beside'), 0.99) }
  const ratio = p99.beside / p99.alone
  return {
    title: `(b) ${settings.noisyBacklog} waiting for one tenant, beside ${settings.quietTenants} quiet tenants with a stage each second`,
    head: ['from due to the door, ms', 'alone', 'beside the noisy one', 'ratio'],
    rows: shares.map(([name, share]) => [
      name,
      spread(of('alone', share), 1),
      spread(of('beside', share), 1),
      spread(ratios(share), 2),
    ]),
    aims: [
      {
        what: 'p99 of all rounds together within 1.2 of the one alone',
        figure: `${p99.beside.toFixed(1)} ms after ${p99.alone.toFixed(1)} ms: ${ratio.toFixed(2)}`,
        met: ratio <= 1.2,
      },
    ],
    notes: [
      `${all('beside').length} stages in all, as many alone, latency ${latencyMs} ms, one process; the noisy tenant made ${runs.map((run) => run.noisyCalls).join(', ')} calls meanwhile. The clock runs from the row's \`due_at\`, before its commit, to the moment the counting server reads the head of the call.`,
    ],
  }
}
