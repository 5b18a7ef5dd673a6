import { type Child, startChild } from '../support/child.js'
import { postgresCpuMs } from '../support/cpu.js'
import type { Stores } from '../support/stores.js'
import { until } from '../support/wait.js'
import type { BareFigures, BareRun } from './bare.js'
import type { DoorCount } from './door.js'
import { countOf, freshIds, holdApp, putOrders, release } from './rows.js'
import type { Usage } from './service.js'
import { type Settings, storeApp, windowsOf } from './settings.js'
import { difference, startWorld, type World } from './world.js'

export const bareAtOnce = 50

interface Wave {
  callsPerSecond: number
  usage: Usage
  postgresCpuMs: number
}

export interface Run {
  /** `again`: as many once more in the same process, whose code is warm and which knows the tokens. */
  service: Wave & { again: Wave; worst: number[]; extraCalls: number }
  bare: BareFigures
  sdk: BareFigures
}

/** The three of them one after the other, each round with another one first, so that no place in the order is anybody's. */
export async function race(stores: Stores, settings: Settings, round: number): Promise<Run> {
  const turns: Array<() => Promise<Partial<Run>>> = [
    async () => ({ bare: await postBare(settings, 'undici') }),
    async () => ({ sdk: await postBare(settings, 'sdk') }),
    async () => ({ service: await sendAll(stores, settings) }),
  ]
  const first = round % turns.length
  const run: Partial<Run> = {}
  for (const turn of [...turns.slice(first), ...turns.slice(0, first)]) Object.assign(run, await turn())
  const { bare, sdk, service } = run
  if (!bare || !sdk || !service) throw new Error('one of the three had no turn')
  return { bare, sdk, service }
}

function tenantsOf({ tenants }: Settings): string[] {
  return Array.from({ length: tenants }, (_, index) => `tk_many_${index}`)
}

async function postBare(settings: Settings, through: BareRun['through']): Promise<BareFigures> {
  const door = await startChild('sync/door')
  const bare = await startChild('sync/bare')
  const url = await door.ask<string>('url')
  const { loopPerTenant: perTenant, warmUpCalls } = settings
  const given: BareRun = { url, tenants: tenantsOf(settings), perTenant, atOnce: bareAtOnce, warmUpCalls, through }
  const figures = await bare.ask<BareFigures>('run', given)
  await Promise.all([bare.stop(), door.stop()])
  return figures
}

async function sendAll(stores: Stores, settings: Settings): Promise<Run['service']> {
  const door = await startChild('sync/door')
  const windows = windowsOf(settings)
  const world = await startWorld({ stores, feishuUrl: await door.ask('url'), processes: 1, windows })
  try {
    const first = await sendWave(world, door, settings, 1)
    const again = await sendWave(world, door, settings, 2)
    const counts = await door.ask<DoorCount[]>(
      'counts',
      windows.map(({ windowMs }) => windowMs),
    )
    return {
      ...first,
      again,
      worst: windows.map((_, index) => Math.max(...counts.map(({ worst }) => worst[index] ?? 0))),
      extraCalls: counts.reduce((total, { calls }) => total + calls, -2 * settings.tenants * settings.perTenant),
    }
  } finally {
    await world.stop()
    await door.stop()
  }
}

async function sendWave(world: World, door: Child, settings: Settings, wave: number): Promise<Wave> {
  const { appId } = storeApp
  await holdApp(world, appId)
  const buckets: number[] = []
  for (const tenantKey of tenantsOf(settings)) {
    buckets.push((await putOrders(world, { appId, tenantKey }, freshIds(settings.perTenant))).bucket)
  }
  const count = settings.tenants * settings.perTenant
  const { pool } = world.database
  const [before, postgresBefore] = [await world.usage(), await postgresCpuMs(pool)]
  const dueAt = await release(world, buckets)
  await until('all calls arrive', async () => (await door.ask<number>('count')) >= wave * count, 180_000, 50)
  const seconds = (performance.timeOrigin + performance.now() - dueAt) / 1000
  await until('all are settled', async () => (await countOf(world, 'delivered')) === wave * count, 60_000)
  return {
    callsPerSecond: count / seconds,
    usage: difference(await world.usage(), before),
    postgresCpuMs: (await postgresCpuMs(pool)) - postgresBefore,
  }
}
