import { afterEach, expect, it } from 'vitest'
import { killAll, type ServiceProcess, startProcess } from '../story/processes.js'
import { appsFile, callApi, environment, introduce, startSandboxes } from '../story/world.js'
import { freePort } from '../support/free-port.js'
import { Canaries, type Leak, Searcher } from './canaries/canary.js'
import { fileWith, startStores } from './canaries/ground.js'
import { interpose } from './canaries/interposer.js'
import { bind, feishuFails, goodEnd, itemsOf, type Stage, stopped, vendorFails } from './canaries/story.js'
import { badEvents, forgedEvents, operatorsLook, operatorsType } from './canaries/strangers.js'

const cleanups: Array<() => Promise<unknown>> = []
afterEach(async () => {
  await killAll()
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function startStage() {
  const stores = await startStores()
  cleanups.push(() => stores.stop())
  const { feishu, vendor } = await startSandboxes({ feishu: { switches: { orderReads: false } } })
  const [toFeishu, toVendor, bot] = [await interpose(feishu.url), await interpose(vendor.url), await interpose()]
  cleanups.push(...[feishu, vendor, toFeishu, toVendor, bot].map((peer) => () => peer.stop()))
  const apps = await fileWith('apps.json', appsFile)
  cleanups.push(() => apps.remove())
  const env = {
    ...environment(feishu, vendor),
    FEISHU_APPS_FILE: apps.path,
    DATABASE_URL: stores.databaseUrl,
    REDIS_URL: stores.redisUrl,
    FEISHU_BASE_URL: toFeishu.url,
    VENDOR_BASE_URL: toVendor.url,
    BGC_ALERT_WEBHOOK_URL: `${bot.url}/bot`,
    LOG_LEVEL: 'trace',
  }
  const [port, worker] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${port}`
  const receiver = { ...env, PORT: String(port) }
  const services: ServiceProcess[] = []
  const run = async (more: Record<string, string>) => {
    const service = startProcess({ ...receiver, ...more })
    services.push(service)
    await service.started
    return service
  }
  await run({ BGC_ROLES: 'receiver' })
  const working = await run({ BGC_ROLES: 'poller,sync', PORT: String(worker) })
  introduce(feishu, url)
  const canaries = new Canaries()
  const stage: Stage = { feishu, vendor, toFeishu, toVendor, canaries, url, told: [] }
  const said = () => Buffer.from(services.flatMap(({ lines }) => lines).join('\n'))
  return { stage, stores, bot, services, working, run, said, workerUrl: `http://127.0.0.1:${worker}` }
}

/** What anybody may read who may not reveal: lists, and every item of them. */
async function readEverything(url: string): Promise<Buffer> {
  const texts: string[] = []
  const lists = [
    'orders',
    'deliveries',
    'events',
    'accounts',
    'holds',
    'findings',
    'sweeps',
    'audit',
    'tripartite-agreements',
  ]
  for (const list of lists) {
    const answer = await callApi(url, 'GET', `/v1/${list}?limit=200`)
    texts.push(JSON.stringify(answer.body))
    for (const item of itemsOf(answer)) {
      const id = item['background_check_id'] ?? item['account_id'] ?? item['id']
      for (const each of [item['id'], id]) {
        texts.push(JSON.stringify((await callApi(url, 'GET', `/v1/${list}/${String(each)}`)).body))
      }
    }
  }
  return Buffer.from(texts.join('\n'))
}

const metricsOf = async (url: string) => Buffer.from(await (await fetch(`${url}/metrics`)).text())

it('leaves no trace of a person in logs, metrics, answers, queue jobs or the files of the databases', async () => {
  const { stage, stores, bot, services, working, run, said, workerUrl } = await startStage()
  const accountId = await bind(stage)
  const good = await goodEnd(stage, accountId)
  await stopped(stage, accountId)
  // What was being done when a process died is in the files as well.
  await working.kill()
  const again = await run({ BGC_ROLES: 'poller,sync', PORT: new URL(workerUrl).port })
  await vendorFails(stage, accountId)
  await feishuFails(stage, accountId)
  await badEvents(stage)
  await forgedEvents(stage)
  await operatorsType(stage, good)
  await operatorsLook(stage, good)

  const searcher = new Searcher(stage.canaries.all)
  const passed = [stage.toFeishu.seen(), stage.toVendor.seen(), ...stage.told.map((text) => Buffer.from(text))]
  const used = new Set(searcher.search('the wire', Buffer.concat(passed)).map(({ canary }) => canary))
  expect(stage.canaries.all.filter(({ name }) => !used.has(name))).toEqual([])
  const leaks: Leak[] = []
  const look = (where: string, bytes: Buffer) => leaks.push(...searcher.search(where, bytes))
  look('metrics of the receiver', await metricsOf(stage.url))
  look('metrics of the worker', await metricsOf(workerUrl))
  look('/v1', await readEverything(stage.url))
  const files = await stores.files()
  for (const { path, bytes } of files) look(path, bytes)
  await Promise.all([again.stop(), services[0]?.stop()])
  look('output of the processes', said())
  look('the bot', bot.seen())
  expect(leaks).toEqual([])
  // What may be told is found where it was looked: nothing was looked for in the wrong place.
  const id = Buffer.from(good)
  const holdsId = (part: RegExp) => files.some(({ path, bytes }) => part.test(path) && bytes.includes(id))
  expect([said().includes(id), holdsId(/\/pg_wal\//), holdsId(/\/base\//)]).toEqual([true, true, true])
  const inRedis = files.filter(({ path }) => /\.(aof|rdb)$/.test(path))
  expect(Buffer.concat(inRedis.map(({ bytes }) => bytes)).includes('{bgc}:')).toBe(true)
}, 240_000)
