import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it, onTestFinished } from 'vitest'
import { complete, run } from '../cli/support.js'
import { customApp, eventually, modes, startWorld, type World } from './world.js'

let world: World | undefined

afterEach(async () => {
  await world?.stop()
  world = undefined
})

const field = (key: string, more: object = {}) => ({ key, name: { zh_cn: key }, is_required: true, ...more })

it.each(modes)('the form that an operator applies is the one that customers fill in, %s', async (mode) => {
  const running = await startWorld({ mode })
  world = running
  const folder = await mkdtemp(join(tmpdir(), 'bgc-form-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'form.json')
  const env = {
    ...complete,
    FEISHU_APP_ID: customApp.appId,
    BGC_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
    DATABASE_URL: running.config.databaseUrl ?? '',
  }
  const held = () => running.feishu.accountFields(customApp.appId, 'tk_custom')
  for (const form of [[field('org'), field('dept')], [field('dept', { name: { en_us: 'Department' } })]]) {
    await writeFile(file, JSON.stringify({ custom_field_list: form }))
    const args = ['account-fields', 'apply', file, '--tenant', 'tk_custom', '--allow-irreversible']
    expect(await run(args, env)).toMatchObject({ code: 0, err: '' })
    await eventually(held).toEqual(form)
  }
  const calls = running.feishu
    .calls()
    .flatMap(({ api = '' }) => (api.startsWith('account_custom_fields.') ? [api] : []))
  expect(calls).toEqual(['create', 'batch_update', 'batch_delete'].map((verb) => `account_custom_fields.${verb}`))
})
