import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, inject, it, type TestContext } from 'vitest'
import { until } from '../../src/sandbox/index.js'
import { freePort } from '../support/free-port.js'
import { freshSchema } from '../support/postgres.js'
import { startRedis } from '../support/redis.js'
import { everyLife, expectExactCalls, type LivedOrder, live, orderChecks, type Scene, untilEnded } from './lives.js'
import { type ServiceProcess, startProcess } from './processes.js'
import { appsFile, callApi, environment, introduce, startSandboxes } from './world.js'

/** What a test leaves behind goes in reverse. */
function tidier({ onTestFinished }: TestContext) {
  const cleanups: Array<() => Promise<unknown>> = []
  onTestFinished(async () => {
    for (const cleanup of cleanups.toReversed()) await cleanup()
  })
  return cleanups
}

/** Both sandboxes, and the environment of a service at a port that stays the same over its lives. */
async function startScene(context: TestContext) {
  const cleanups = tidier(context)
  const folder = await mkdtemp(join(tmpdir(), 'bgc-story-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  const { feishu, vendor } = await startSandboxes({
    // Reading orders after a lost answer takes a minute when the call had not arrived; the switches' story covers it.
    feishu: { retryDelaysMs: [200, 500, 1000, 2000, 4000, 8000, 16_000], switches: { orderReads: false } },
  })
  cleanups.push(
    () => feishu.stop(),
    () => vendor.stop(),
  )
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  await writeFile(join(folder, 'apps.json'), appsFile)
  const env = { ...environment(feishu, vendor), PORT: String(port), FEISHU_APPS_FILE: join(folder, 'apps.json') }
  const scene: Scene = { feishu, vendor, api: (method, path, body) => callApi(url, method, path, body) }
  const start = (more: Record<string, string>) => {
    const service = startProcess({ ...env, ...more })
    cleanups.push(() => service.kill())
    return service
  }
  return { scene, cleanups, start, folder, begin: () => introduce(feishu, url) }
}

const lives = [...everyLife, ...everyLife]

/** When nothing of a process that was killed comes any more: what it wrote last is taken after its end. */
async function kill(service: ServiceProcess | undefined): Promise<number> {
  await service?.kill()
  await new Promise((resolve) => setTimeout(resolve, 100))
  return Date.now()
}

/** Lets all checks live, and kills the service whenever a few more calls have reached Feishu. */
async function liveThrough(
  scene: Scene,
  orders: readonly LivedOrder[],
  kills: ReadonlyArray<() => Promise<number>>,
): Promise<number[]> {
  const living = Promise.all(orders.map((order) => live(scene, order)))
  const killedAt: number[] = []
  for (const end of kills) {
    const applied = () => scene.feishu.calls({ applied: true }).length
    const before = applied()
    await until('four more calls', () => applied() > before + 3, { timeoutMs: 20_000 })
    killedAt.push(await end())
  }
  await living
  await untilEnded(scene, orders, 100_000)
  return killedAt
}

// Each waits for claims to run out, or for PostgreSQL: at once they wait no longer than one of them.
describe.concurrent('a service with its store', () => {
  it('goes on after kill -9 with its own PostgreSQL: the next start adopts it, and nothing is lost or doubled', async (context) => {
    const { scene, start, folder, begin } = await startScene(context)
    const own = { BGC_DATA_DIR: join(folder, 'data') }
    let service: ServiceProcess = start(own)
    await service.started
    begin()
    const orders = await orderChecks(scene, lives, 2)
    const restart = async () => {
      const at = await kill(service)
      service = start(own)
      await service.started
      return at
    }
    const crashedAt = await liveThrough(scene, orders, [restart, restart])
    expectExactCalls(scene, orders)
    expect(scene.feishu.checkPromises({ crashedAt })).toEqual([])
    expect(await service.stop()).toBe(0)
  }, 150_000)

  it('goes on without one of its processes: the others take over what it had claimed', async (context) => {
    const { scene, cleanups, start, begin } = await startScene(context)
    const redis = await startRedis()
    cleanups.push(() => redis.stop())
    const shared = { DATABASE_URL: freshSchema(inject('databaseUrl')), REDIS_URL: redis.url }
    const receiver = start({ ...shared, BGC_ROLES: 'receiver' })
    const workers = [0, 1].map(() => start({ ...shared, PORT: '0', BGC_ROLES: 'poller,sync' }))
    await Promise.all([receiver, ...workers].map(({ started }) => started))
    begin()
    const orders = await orderChecks(scene, lives, 2)
    const crashedAt = await liveThrough(scene, orders, [() => kill(workers[0])])
    expectExactCalls(scene, orders)
    expect(scene.feishu.checkPromises({ crashedAt })).toEqual([])
    expect(await workers[1]?.stop()).toBe(0)
    expect(await receiver.stop()).toBe(0)
  }, 150_000)

  it('refuses a second process on the same data folder, and on the same database without Redis', async (context) => {
    const { start, folder } = await startScene(context)
    const own = { BGC_DATA_DIR: join(folder, 'data') }
    const first = start(own)
    await first.started
    const second = start({ ...own, PORT: '0' })
    expect((await second.exited).code).not.toBe(0)
    expect(second.lines.join('\n')).toContain(String(first.lines.map(pidOf).find((pid) => pid !== undefined)))
    expect(await first.stop()).toBe(0)
  }, 60_000)
})

function pidOf(line: string): number | undefined {
  return line.startsWith('{') ? (JSON.parse(line) as { pid?: number }).pid : undefined
}
