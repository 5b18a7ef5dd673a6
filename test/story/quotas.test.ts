import { afterEach, describe, expect, it } from 'vitest'
import { type FaultRates, seededFaults } from '../../src/sandbox/index.js'
import { everyLife, live, orderChecks, untilEnded } from './lives.js'
import { modes, startWorld, type World } from './world.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

const rates: FaultRates = {
  lostAnswer: 0.1,
  serverError: 0.1,
  garbageApplied: 0.1,
  tokenExpired: 0.05,
  rateLimited: 0.15,
}

interface Series {
  tenant_key: string
  api: string
  points: Array<{ calls: number; delivered: number; limited: number }>
}

type Counted = Record<string, { calls: number; limited: number }>

async function charted(running: World): Promise<Counted> {
  const { body } = await running.api('GET', '/v1/quotas')
  if (!Array.isArray(body['series'])) throw new Error(JSON.stringify(body))
  const sum = (of: Series, what: 'calls' | 'limited') => of.points.reduce((all, point) => all + point[what], 0)
  return Object.fromEntries(
    (body['series'] as Series[]).map((each) => [
      `${each.tenant_key} ${each.api}`,
      { calls: sum(each, 'calls'), limited: sum(each, 'limited') },
    ]),
  )
}

/** What Feishu's door counted of the methods that have windows. */
function arrived({ feishu }: World): Counted {
  const counted: Counted = {}
  for (const { api = '', tenantKey = '', httpStatus } of feishu.calls()) {
    if (api.startsWith('auth.')) continue
    const name = `${tenantKey} ${api}`
    const { calls, limited } = counted[name] ?? { calls: 0, limited: 0 }
    counted[name] = { calls: calls + 1, limited: limited + (httpStatus === 429 ? 1 : 0) }
  }
  return counted
}

/** Calls that only one side counts; a comparison may just have made another one. */
async function differences(running: World): Promise<unknown[]> {
  const ours = await charted(running)
  const theirs = arrived(running)
  const names = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])]
  return names
    .map((name) => ({ name, ours: ours[name], theirs: theirs[name] }))
    .filter((each) => JSON.stringify(each.ours) !== JSON.stringify(each.theirs))
}

/** A counter over all processes and labels. */
async function exported({ apps }: World, name: string): Promise<number> {
  const pages = await Promise.all(
    apps.map(async ({ port }) => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()),
  )
  const values = [...pages.join('\n').matchAll(new RegExp(`^${name}\\{.*\\} (\\d+)$`, 'gm'))]
  return values.reduce((all, match) => all + Number(match[1]), 0)
}

describe.each(modes)('in the mode %s', (mode) => {
  it('the charts show the calls that arrived at Feishu, whatever became of them', async () => {
    world = await startWorld({
      mode,
      ...(mode === 'redis' && { processes: ['receiver', 'poller,sync', 'poller,sync'] }),
    })
    const running = world
    running.feishu.useFaults(seededFaults(11, rates, ({ api }) => api === 'update_progress' || api === 'update_result'))
    const orders = await orderChecks(running, [...everyLife, ...everyLife, ...everyLife], 1)
    await Promise.all(orders.map((order) => live(running, order)))
    await untilEnded(running, orders, 60_000)
    await expect.poll(() => differences(running), { timeout: 20_000, interval: 200 }).toEqual([])
    const limited = Object.values(arrived(running)).reduce((all, each) => all + each.limited, 0)
    expect(limited).toBeGreaterThan(0)
    expect(await exported(running, 'bgc_feishu_limited_total')).toBe(limited)
    expect(Object.keys(arrived(running)).some((name) => name.includes('batch_query'))).toBe(true)
  }, 150_000)
})
