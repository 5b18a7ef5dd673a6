import http, { type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import pg from 'pg'
import { afterEach, expect, it, onTestFinished } from 'vitest'
import { reportFile } from '../../src/sandbox/index.js'
import { customApp, eventually, startWorld, type World, type WorldOptions } from './world.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

/** As an operator's reverse proxy: the service lies below a path of it. */
async function startGateway() {
  const target = { port: 0, asked: [] as string[] }
  const server = http.createServer((request, response) => {
    target.asked.push(request.url ?? '')
    const path = request.url?.replace(/^\/bgc(?=\/)/, '') ?? '/'
    const { method, headers } = request
    const onward = http.request({ port: target.port, path, method, headers }, (answer: IncomingMessage) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    request.pipe(onward)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { publicUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/bgc`, target }
}

async function startProxying(options: WorldOptions = {}) {
  const { publicUrl, target } = await startGateway()
  const started = await startWorld({
    ...options,
    env: { BGC_REPORT_LINKS: 'proxy', BGC_PUBLIC_URL: `${publicUrl}/`, ...options.env },
  })
  world = started
  target.port = started.apps[0]?.port ?? 0
  return { world: started, publicUrl, target }
}

/** An order whose vendor reported a stage and a result. */
async function report({ feishu, vendor }: World) {
  const { accountId } = feishu.createAccount({ appId: customApp.appId, tenantKey: 'tk_custom' })
  const { backgroundCheckId: id } = feishu.createOrder({ appId: customApp.appId, tenantKey: 'tk_custom', accountId })
  await eventually(() => vendor.orderCount(id)).toBe(1)
  vendor.addStage(id, {
    name: '学历核实',
    result: '绿灯',
    reports: [{ name: '学历.pdf' }, { name: '页面', url: 'https://vendor.example/page', type: 2 }],
  })
  vendor.complete(id, { reports: [{ name: 'a.pdf' }, { name: 'final.pdf' }] })
  await eventually(() => feishu.order(id).status).toBe('completed')
  return id
}

function linksIn({ feishu }: World, id: string): string[] {
  const { stages, result } = feishu.order(id)
  return [...stages.flatMap((stage) => stage.reports), ...(result?.reports ?? [])].map(({ url }) => url)
}

it("gives Feishu links of this service's own, behind which lie exactly the vendor's files", async () => {
  const { world, publicUrl } = await startProxying()
  const id = await report(world)
  const read = await world.feishu.readReports(id)
  expect(read.map(({ name, ok, problem }) => [name, ok, problem])).toEqual([
    ['学历.pdf', true, undefined],
    ['a.pdf', true, undefined],
    ['final.pdf', true, undefined],
  ])
  for (const { name, url, file } of read) {
    expect(url).toMatch(new RegExp(`^${publicUrl}/reports/[A-Za-z0-9_-]{64}$`))
    expect(file?.equals(reportFile(name))).toBe(true)
  }
  expect(linksIn(world, id)).toContain('https://vendor.example/page')
  expect(world.feishu.checkPromises()).toEqual([])
})

it('keeps the vendor’s own links in its rows, and no link in its log', async () => {
  const { world } = await startProxying()
  const id = await report(world)
  await world.feishu.readReports(id)
  const { body } = await world.api('GET', `/v1/orders/${id}`)
  expect(body['attention']).toEqual([])
  for (const { id: deliveryId } of body['deliveries'] as Array<{ id: string }>) {
    const shown = JSON.stringify((await world.api('GET', `/v1/deliveries/${deliveryId}?reveal=true`)).body['request'])
    expect(shown).toContain(`${world.vendor.url}/files/`)
    expect(shown).not.toContain('/reports/')
  }
  const tokens = linksIn(world, id).flatMap((link) => /\/reports\/(.{64})$/.exec(link)?.[1] ?? [])
  expect(tokens).toHaveLength(3)
  const log = world.log.join('\n')
  for (const text of [...tokens, '/files/', 'final.pdf']) expect(log).not.toContain(text)
  const lines = world.log.filter((line) => line.includes('report.served')).map((line) => JSON.parse(line))
  expect(lines.map(({ status, reason, bytes }) => [status, reason, bytes > 500])).toEqual(
    Array(3).fill([200, 'whole', true]),
  )
  const metrics = await (await fetch(`${world.url}/metrics`)).text()
  expect(metrics).toContain('bgc_report_answers_total{status="200",reason="whole"} 3')
})

it('asks the vendor for its link of now: one that ended long ago is no matter', async () => {
  const { world } = await startProxying({ vendor: { rotateReportLinks: true } })
  const id = await report(world)
  world.vendor.expireReportLinks()
  expect((await world.feishu.readReports(id)).map(({ problem }) => problem)).toEqual([undefined, undefined, undefined])
  // What the vendor said a moment ago is no good any more either.
  world.vendor.expireReportLinks()
  expect((await world.feishu.readReports(id)).map(({ problem }) => problem)).toEqual([undefined, undefined, undefined])
  const files = world.vendor.calls({ operation: 'files' }).map(({ httpStatus }) => httpStatus)
  expect(files).toEqual(expect.arrayContaining([200, 403]))
})

it('does not ask the vendor again for each range of a file', async () => {
  const { world } = await startProxying()
  const id = await report(world)
  const link = linksIn(world, id).at(-1) ?? ''
  const file = reportFile('final.pdf')
  const before = world.vendor.calls({ operation: 'orders.get' }).length
  const parts: Buffer[] = []
  for (let from = 0; from < file.length; from += 20) {
    const answer = await fetch(link, { headers: { range: `bytes=${from}-${from + 19}` } })
    expect(answer.status).toBe(206)
    parts.push(Buffer.from(await answer.arrayBuffer()))
  }
  expect(Buffer.concat(parts).equals(file)).toBe(true)
  // A poll may ask as well meanwhile.
  const asked = world.vendor.calls({ operation: 'orders.get' }).length - before
  expect(asked).toBeGreaterThan(0)
  expect(asked).toBeLessThan(parts.length / 4)
})

it('opens nothing any more once the data key of the order is destroyed', async () => {
  const { world } = await startProxying()
  const id = await report(world)
  const other = await report(world)
  const sql = new pg.Client({ connectionString: world.config.databaseUrl })
  await sql.connect()
  onTestFinished(() => sql.end())
  const schema = new URL(world.config.databaseUrl ?? '').searchParams.get('schema')
  await sql.query(`UPDATE "${schema}".orders SET data_key = NULL WHERE background_check_id = $1`, [id])
  expect((await world.feishu.readReports(id)).map(({ httpStatus }) => httpStatus)).toEqual([404, 404, 404])
  expect((await world.feishu.readReports(other)).every(({ ok }) => ok)).toBe(true)
})

it('makes new links at each attempt, and those of earlier ones stay good', async () => {
  const { world } = await startProxying()
  const sent: string[] = []
  world.feishu.addFault({ match: { api: 'update_result' }, action: { kind: 'reset' }, times: 2 })
  const id = await report(world)
  for (const call of world.feishu.calls({ backgroundCheckId: id, api: 'update_result' })) {
    const body = call.body as { report_file_list: Array<{ report_url: string }> }
    sent.push(...body.report_file_list.map((each) => each.report_url))
  }
  expect(sent.length).toBeGreaterThanOrEqual(4)
  expect(new Set(sent).size).toBe(sent.length)
  for (const link of sent) expect((await fetch(link)).status).toBe(200)
})

it('serves links on the public listener when operators have one of their own, and in a process that only receives', async () => {
  const { world, target } = await startProxying({
    mode: 'redis',
    processes: ['poller,sync', 'receiver'],
    env: { BGC_INTERNAL_PORT: '0' },
  })
  target.port = world.apps[1]?.port ?? 0
  for (const app of [customApp]) {
    world.feishu.setEventUrl(app.appId, `http://127.0.0.1:${target.port}/webhooks/feishu/${app.appId}/events`)
  }
  const id = await report(world)
  const [link = ''] = linksIn(world, id)
  expect((await fetch(link)).status).toBe(200)
  const { pathname } = new URL(link)
  const path = pathname.replace('/bgc', '')
  for (const port of [world.apps[1]?.internalPort, world.apps[0]?.port]) {
    expect((await fetch(`http://127.0.0.1:${port}${path}`)).status).toBe(404)
  }
})

it('passes the vendor’s links on in the mode passthrough, and goes on serving those of before', async () => {
  const { world, target } = await startProxying()
  const id = await report(world)
  await Promise.all(world.apps.map((app) => app.stop()))
  const { startApp } = await import('../../src/app.js')
  const { createLogger } = await import('../../src/platform/logger.js')
  const config = { ...world.config, reportLinks: { mode: 'passthrough' as const, ttlMs: 1 } }
  const again = await startApp(config, createLogger('silent'))
  onTestFinished(() => again.stop())
  target.port = again.port
  world.feishu.setEventUrl(customApp.appId, `http://127.0.0.1:${again.port}/webhooks/feishu/${customApp.appId}/events`)
  expect((await world.feishu.readReports(id)).every(({ ok }) => ok)).toBe(true)
  const later = await report(world)
  expect(linksIn(world, later).filter((link) => link.startsWith(`${world.vendor.url}/files/`))).toHaveLength(3)
})
