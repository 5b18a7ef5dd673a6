import { describe, expect, it, type TestContext } from 'vitest'
import { laneOfAccount, type OtherBody } from '../../src/flow/map.js'
import { putBehind } from '../../src/flow/outbox/put-other.js'
import { createSealer } from '../../src/platform/crypto/sealer.js'
import { openDatabase } from '../../src/platform/database/database.js'
import { createLogger } from '../../src/platform/logger.js'
import { until } from '../../src/sandbox/index.js'
import { customApp, startWorld, type World, type WorldOptions } from './world.js'

const tenantKey = 'tk_custom'
const packages = [{ id: 'p-1', name: 'Standard', description: 'all' }]
const fields = [{ type: 'text', key: 'degree', name: { zh_cn: '学历' }, is_required: true }]

async function begin({ onTestFinished }: TestContext, options: WorldOptions = {}) {
  const world = await startWorld(options)
  onTestFinished(() => world.stop())
  const { config, feishu, apps } = world
  const rows = openDatabase({ url: config.databaseUrl ?? '', log: createLogger('silent') })
  onTestFinished(() => rows.stop())
  const sealer = createSealer(config.encryptionKeys)
  const { accountId } = feishu.createAccount({ appId: customApp.appId, tenantKey })
  const send = async (content: OtherBody, lane = laneOfAccount(accountId)) => {
    const to = { lane, appId: customApp.appId, tenantKey, accountId }
    const { ids } = await rows.transaction((sql) => putBehind(sql, sealer, to, [{ content }]))
    return ids[0] ?? ''
  }
  const read = async (id: string) => {
    const found = await rows.pool.query<{ state: string; dead_class: string | null; bucket: string }>(
      `SELECT d.state, d.dead_class, b.api AS bucket FROM deliveries d JOIN buckets b ON b.id = d.bucket_id WHERE d.id = $1`,
      [id],
    )
    return found.rows[0]
  }
  const settled = (id: string, state: string) =>
    until(`${id} ${state}`, async () => (await read(id))?.state === state, { timeoutMs: 20_000 })
  return { world, feishu, accountId, send, read, settled, rows, apps }
}

const apisOf = ({ feishu }: World) =>
  feishu.calls({}).flatMap(({ api = '', applied }) => (api.startsWith('auth.') ? [] : [`${api} ${applied}`]))

// Worlds of their own, which mostly wait: at once they wait together.
describe.concurrent('a delivery that belongs to no order', () => {
  it('a create whose answer was lost is not repeated: an update of the same set tells that it is there', async (context) => {
    const { world, feishu, accountId, send, settled } = await begin(context)
    feishu.addFault({ match: { api: 'packages.create' }, action: { kind: 'reset', apply: true } })
    const id = await send({ api: 'packages.create', body: { account_id: accountId, package_list: packages } })
    await settled(id, 'delivered')
    expect(apisOf(world)).toEqual(['packages.create true', 'packages.batch_update true'])
  })

  it('a create that did not arrive is made again once the update says that nothing is there', async (context) => {
    const { world, feishu, accountId, send, read, settled } = await begin(context)
    feishu.addFault({ match: { api: 'packages.create' }, action: { kind: 'reset' } })
    feishu.addFault({ match: { api: 'packages.batch_update' }, action: { kind: 'hang' } })
    const id = await send({ api: 'packages.create', body: { account_id: accountId, package_list: packages } })
    await settled(id, 'delivered')
    expect(apisOf(world)).toEqual([
      'packages.create false',
      'packages.batch_update false',
      'packages.batch_update false',
      'packages.create true',
    ])
    expect(await read(id)).toMatchObject({ bucket: 'packages.create' })
  })

  it('fields that are there already are compared by an update, and others than ours are left alone', async (context) => {
    const { feishu, accountId, send, read, settled } = await begin(context, {
      feishu: { switches: { customFieldsCreate: 'refuse_1002855' } },
    })
    const create = (key: string) => {
      const list = fields.map((field) => ({ ...field, key }))
      return send({ api: 'custom_fields.create', body: { account_id: accountId, custom_field_list: list } })
    }
    await settled(await create('degree'), 'delivered')
    await settled(await create('degree'), 'delivered')
    const other = await create('school')
    await settled(other, 'dead')
    expect(await read(other)).toMatchObject({ dead_class: 'vendor' })
    expect(feishu.account(accountId).customFields.map((field) => field.key)).toEqual(['degree'])
  })

  it('a create whose process died goes on as a question', async (context) => {
    const { world, accountId, send, settled, rows, feishu } = await begin(context, { gated: 'feishu' })
    await world.gate?.shut()
    const id = await send({ api: 'packages.create', body: { account_id: accountId, package_list: packages } })
    // What a process that died in the call leaves behind.
    await rows.pool.query(
      `UPDATE deliveries SET state = 'sending', fence = fence + 1000, due_at = now() WHERE id = $1`,
      [id],
    )
    await world.gate?.open()
    await settled(id, 'delivered')
    expect(feishu.calls({ api: 'packages.create' }).length).toBeLessThanOrEqual(1)
    expect(apisOf(world)[0]).toBe('packages.batch_update false')
  })

  it('an agreement that is there already is taken over with its id', async (context) => {
    const { world, feishu, send, settled } = await begin(context)
    feishu.addApplication({ tenantKey, applicationId: '7001' })
    const lane = `agreement_of:${customApp.appId}:${tenantKey}:7001`
    const create: OtherBody = {
      api: 'tripartite_agreements.create',
      body: { application_id: '7001', state: 1, create_time: '1767402000000' },
    }
    feishu.addFault({ match: { api: 'tripartite_agreements.create' }, action: { kind: 'reset', apply: true } })
    await settled(await send(create, lane), 'delivered')
    expect(apisOf(world)).toEqual([
      'tripartite_agreements.create true',
      'tripartite_agreements.create false',
      'tripartite_agreements.list false',
    ])
  })
})
