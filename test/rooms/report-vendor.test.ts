import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, it, onTestFinished } from 'vitest'
import type { OpenedReport, VendorAdapter } from '../../src/flow/vendor/adapter.js'
import { createBreaker } from '../../src/flow/vendor/breaker.js'
import { guardVendor } from '../../src/flow/vendor/guarded.js'
import { createHttpVendor } from '../../src/flow/vendor/http.js'
import { loadVendor } from '../../src/flow/vendor/load.js'
import { privately, startFileHost } from '../support/file-host.js'
import { scriptedVendor } from '../support/scripted-vendor.js'

const call = { signal: new AbortController().signal }
const whole = { method: 'GET' } as const
const reportAt = (url: string) => ({ orderId: 'V-1', backgroundCheckId: '1', stageId: null, name: 'a.pdf', url })
const away: OpenedReport = { kind: 'retry', message: 'the host of files is away', ambiguous: false }

function guarded(adapter: VendorAdapter) {
  const rules = { failuresToOpen: 1, openMs: 60_000, maxOpenMs: 60_000, now: () => 0, random: () => 1 }
  const breaker = createBreaker(rules)
  return { breaker, vendor: guardVendor(adapter, { breaker, concurrency: 1 }) }
}

it('is called for files while its API is not, and files that fail do not stop the calls', async () => {
  const { breaker, vendor } = guarded({ ...scriptedVendor(), openReport: async () => away })
  for (let times = 0; times < 5; times += 1) expect(await vendor.openReport?.(reportAt('x'), whole, call)).toBe(away)
  expect(breaker.state()).toBe('closed')
  breaker.failed('retry')
  expect(breaker.state()).toBe('open')
  expect(await vendor.openReport?.(reportAt('x'), whole, call)).toBe(away)
})

it('opens files as its own object, and has no verb that the adapter lacks', async () => {
  class Adapter {
    readonly answer = away
    async openReport() {
      return this.answer
    }
  }
  const own = new Adapter()
  const { vendor } = guarded(Object.assign(own, scriptedVendor()))
  expect(await vendor.openReport?.(reportAt('x'), whole, call)).toBe(away)
  expect(guarded(scriptedVendor()).vendor).not.toHaveProperty('openReport')
})

it('over http is its own link, fetched without the key', async () => {
  const host = await startFileHost((_, response) => {
    response.writeHead(200, { 'content-type': 'application/pdf' }).end('%PDF-1')
  }, privately)
  const baseUrl = `http://127.0.0.1:${host.port}`
  const vendor = createHttpVendor({ baseUrl: `${baseUrl}/feishu/`, apiKey: 'canary', timeoutMs: 5000 })
  onTestFinished(async () => vendor.stop?.())
  const opened = await vendor.openReport?.(reportAt(`${baseUrl}/files/1.pdf`), whole, call)
  expect(opened?.kind === 'opened' && (await text(opened.body))).toBe('%PDF-1')
  expect(JSON.stringify(host.seen[0]?.headers)).not.toContain('canary')
  const other = await vendor.openReport?.(reportAt(`http://127.0.0.2:${host.port}/files/1.pdf`), whole, call)
  expect(other).toMatchObject({ kind: 'refused', why: 'address' })
})

it('of a module may leave files to their links, but may not have something else than a function for them', async () => {
  const write = (openReport: string) => {
    const path = join(mkdtempSync(join(tmpdir(), 'bgc-adapter-')), 'adapter.mjs')
    const verbs = ['capabilities', 'bindAccount', 'placeOrder', 'findOrder', 'getOrder', 'cancelOrder']
    const text = verbs.map((name) => `${name}() {}`).join(', ')
    writeFileSync(path, `export const adapter = { create: () => ({ ${text}, openReport: ${openReport} }) }`)
    return path
  }
  await expect(loadVendor({ adapter: write('undefined'), environment: {} })).resolves.toBeDefined()
  await expect(loadVendor({ adapter: write('async () => ({})'), environment: {} })).resolves.toBeDefined()
  await expect(loadVendor({ adapter: write("'link'"), environment: {} })).rejects.toThrow('openReport of the adapter')
})
