import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loadVendor } from '../../src/flow/vendor/load.js'
import { call } from './vendor-peer.js'

const verbs = ['bindAccount', 'placeOrder', 'findOrder', 'getOrder', 'cancelOrder'].map((name) => `${name}() {}`)
const adapter = `{ ${verbs.join(', ')}, capabilities: async () => ({ kind: 'ok', value: environment }) }`
const zod = import.meta.resolve('zod')

function write(source: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'bgc-adapter-')), 'adapter.mjs')
  writeFileSync(path, source)
  return path
}

it('makes the adapter for http', async () => {
  const http = { baseUrl: 'https://vendor.example', apiKey: 'key', timeoutMs: 1 }
  const vendor = await loadVendor({ adapter: 'http', http, environment: {} })
  expect(Object.keys(vendor)).toContain('getOrders')
  await vendor.stop?.()
  await expect(loadVendor({ adapter: 'http', environment: {} })).rejects.toThrow('needs VENDOR_BASE_URL')
})

it('makes the adapter of a module, with its names as they are', async () => {
  const path = write(`export const adapter = { create: (environment) => (${adapter}) }`)
  const vendor = await loadVendor({ adapter: path, environment: { VENDOR_A: 'x' } })
  expect(await vendor.capabilities(call)).toEqual({ kind: 'ok', value: { VENDOR_A: 'x' } })
})

const withSchema = `import { z } from ${JSON.stringify(zod)}
export const adapter = {
  environment: z.object({ VENDOR_PORT: z.coerce.number(), VENDOR_MODE: z.enum(['a', 'b']).default('a') }),
  create: async (environment) => (${adapter}),
}`

it('reads the names of a module as it describes them', async () => {
  const vendor = await loadVendor({ adapter: write(withSchema), environment: { VENDOR_PORT: '7' } })
  expect(await vendor.capabilities(call)).toEqual({ kind: 'ok', value: { VENDOR_PORT: 7, VENDOR_MODE: 'a' } })
})

it('lists every complaint about them, without their values', async () => {
  const environment = { VENDOR_PORT: 'secret', VENDOR_MODE: 'secret', VENDOR_MORE: 'secret' }
  const failure = loadVendor({ adapter: write(withSchema), environment })
  await expect(failure).rejects.toThrow(/^VENDOR_MORE: .*\nVENDOR_PORT: .*\nVENDOR_MODE: /)
  await expect(failure).rejects.not.toThrow('secret')
})

it.each([
  ['export const other = 1', 'must export "adapter"'],
  ['export const adapter = { create: 1 }', 'must export "adapter"'],
  [
    'export const adapter = { create: () => ({ getOrder() {} }) }',
    'lacks capabilities, bindAccount, placeOrder, findOrder',
  ],
  ['export const adapter = { create: () => null }', 'lacks capabilities'],
  ['import "./nothing.mjs"', 'cannot be loaded'],
  ['export const', 'cannot be loaded'],
])('says what is wrong with the module %j', async (source, complaint) => {
  await expect(loadVendor({ adapter: write(source), environment: {} })).rejects.toThrow(complaint)
})

it('says that there is no such module', async () => {
  const failure = loadVendor({ adapter: './no/such.mjs', environment: {} })
  await expect(failure).rejects.toThrow(
    /^VENDOR_ADAPTER: expected http or the path of a module; nothing is at .*such\.mjs$/,
  )
})
