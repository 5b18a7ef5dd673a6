import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { conformanceChecks } from '../../src/adapter.js'
import { bare, run, start } from '../cli/support.js'
import { apiKey, startVendor } from './kit.js'

const envOf = ({ url }: { url: string }) => ({ ...bare, VENDOR_BASE_URL: url, VENDOR_API_KEY: apiKey })

it('tells each check as it ends, cancels what it placed, and needs no secret of Feishu’s', async () => {
  const sandbox = await startVendor()
  const { code, out, err } = await run(['vendor', 'check', '--yes'], envOf(sandbox))
  expect([code, err]).toEqual([0, ''])
  expect(out).toContain('ok      place-order: order V-1\n')
  expect(out).toContain('-       progress: skipped: nothing is waited for without --wait\n')
  expect(out).toContain(
    'warning cancel-order-unknown: A cancel of an order that does not exist is answered with 410 or 2xx.\n' +
      '        expected 410 or 2xx\n' +
      '        got retry: POST /orders/{order_id}/cancel answered 404: nothing takes this call there; the order is not known\n' +
      '        → docs/vendor-api.md#post-ordersorder_idcancel\n',
  )
  expect(out).toMatch(/\n\d+ ok, 1 warnings, 0 failed, \d+ skipped\n$/)
  for (const secret of [apiKey, 'Lin', 'lin.demo', '13000000000']) expect(out).not.toContain(secret)
  expect(new Set(sandbox.orders().map(({ status }) => status))).toEqual(new Set(['canceled']))
})

it('does nothing before somebody agreed', async () => {
  const sandbox = await startVendor()
  const { code, out, err } = await run(['vendor', 'check'], envOf(sandbox))
  expect([code, out]).toEqual([1, ''])
  expect(err).toContain(`places test orders at ${sandbox.url}`)
  expect(err).toContain('against a test system only')
  expect(err).toContain('agree with --yes')
  expect(sandbox.calls()).toEqual([])
})

it('ends with 1 when a check failed, and prints all of it as JSON', async () => {
  const sandbox = await startVendor({ idempotencyKeys: 'ignored' })
  const only = ['--only', 'idempotency-key', '--only', 'find-order']
  const { code, out } = await run(['vendor', 'check', '--yes', '--json', ...only], envOf(sandbox))
  expect(code).toBe(1)
  expect(JSON.parse(out)).toEqual([
    {
      check: 'idempotency-key',
      about: expect.any(String),
      see: 'docs/vendor-api.md#post-orders',
      ms: expect.any(Number),
      outcome: 'failed',
      expected: 'one order for one key',
      got: '2 orders: the Idempotency-Key is not honoured',
    },
    expect.objectContaining({ check: 'find-order', outcome: 'ok' }),
    expect.objectContaining({ check: 'clean-up', outcome: 'ok', detail: '3 orders' }),
  ])
})

it('hands on what orders and bindings need, and watches for as long as it is told', async () => {
  const sandbox = await startVendor()
  const given = [
    '--account-id',
    '74',
    '--tenant-key',
    'tk_a',
    '--package-id',
    'std',
    '--item-id',
    'a',
    '--item-id',
    'b',
  ]
  const fields = ['--account-field', 'org=ORG=1', '--order-field', 'degree=ba', '--order-field', 'school=']
  const only = ['--only', 'bind-account', '--only', 'progress', '--wait', '1']
  const { code, out } = await run(['vendor', 'check', '--yes', ...given, ...fields, ...only], envOf(sandbox))
  expect(code).toBe(0)
  expect(out).toContain('warning progress')
  expect(sandbox.orders()[0]?.placed).toMatchObject({
    account_id: '74',
    tenant_key: 'tk_a',
    package_id: 'std',
    additional_item_ids: ['a', 'b'],
    custom_fields: { degree: 'ba', school: '' },
  })
  expect(sandbox.accounts()[0]?.customFields).toEqual({ org: 'ORG=1' })
})

it('cancels what it placed when it is interrupted', async () => {
  const sandbox = await startVendor()
  const running = start(['vendor', 'check', '--yes', '--wait', '600', '--only', 'progress'], envOf(sandbox))
  await sandbox.untilCalls({ operation: 'orders.get' }, 1, 30_000)
  running.child.kill('SIGINT')
  const { code, out, err } = await running.ended
  expect([code, err]).toEqual([1, 'interrupted: what comes after was not checked\n'])
  expect(out).toContain('clean-up: 1 order\n')
  expect(sandbox.orders()).toMatchObject([{ status: 'canceled' }])
})

it('tries an own adapter, and hides what its environment holds', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'bgc-vendor-check-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'adapter.mjs')
  await writeFile(
    path,
    `export const adapter = { create: ({ VENDOR_SOAP_KEY }) => {
      const no = async () => ({ kind: 'final', message: 'no: ' + VENDOR_SOAP_KEY })
      return { capabilities: async () => ({ kind: 'ok', value: { batch: false, changes: false, tripartite: false } }),
        bindAccount: no, placeOrder: no, findOrder: no, getOrder: no, cancelOrder: no }
    } }`,
  )
  const env = { ...bare, VENDOR_ADAPTER: path, VENDOR_SOAP_KEY: 'canary-of-soap' }
  const { code, out } = await run(['vendor', 'check', '--yes'], env)
  expect(code).toBe(1)
  expect(out).toContain('ok      capabilities: nothing optional\n')
  expect(out).toContain('got final: no: ***\n')
  expect(out).not.toContain('canary')
})

it('lists its checks without an environment', async () => {
  const { code, out } = await run(['vendor', 'check', '--list'])
  expect(code).toBe(0)
  expect(out.split('\n').map((line) => line.split(' ')[0])).toEqual([...conformanceChecks.map(({ name }) => name), ''])
})

it.each([
  [['--only', 'tsl'], bare, 64, '--only: there is no check tsl'],
  [['--wait', 'long'], bare, 64, 'Expected seconds'],
  [['--order-field', 'degree'], bare, 64, 'Expected key=value'],
  [['--yes'], bare, 78, 'VENDOR_BASE_URL: required'],
  [
    ['--yes'],
    { ...bare, VENDOR_BASE_URL: 'ftp://x', VENDOR_API_KEY: apiKey, VENDOR_CANARY: '1' },
    78,
    'VENDOR_CANARY: not',
  ],
])('refuses %j', async (flags, env, expected, complaint) => {
  const { code, out, err } = await run(['vendor', 'check', ...flags], env)
  expect([code, out]).toEqual([expected, ''])
  expect(err).toContain(complaint)
})

it('takes the key from a file', async () => {
  const sandbox = await startVendor()
  const folder = await mkdtemp(join(tmpdir(), 'bgc-vendor-check-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'key')
  await writeFile(path, `${apiKey}\n`)
  const env = { ...bare, VENDOR_BASE_URL: sandbox.url, VENDOR_API_KEY_FILE: path }
  const running = start(['vendor', 'check', '--yes', '--only', 'capabilities'], env)
  const [code] = (await once(running.child, 'close')) as [number]
  expect(code).toBe(0)
})
