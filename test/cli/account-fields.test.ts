import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import { readFormFile } from '../../src/cli/account-fields/form-file.js'
import { runAccountFields } from '../../src/cli/account-fields/run.js'
import { readConfig } from '../../src/config.js'
import { formKeeper } from '../../src/flow/catalog/binding-form/settled.js'
import { laneOfAccountFields } from '../../src/flow/map.js'
import { reviveDelivery } from '../../src/flow/outbox/revive.js'
import { dead, delivered } from '../support/lane-room.js'
import { settleAll } from '../support/settle-due.js'
import { type CliGround, layCliGround, sealer } from './ground.js'
import { complete, run } from './support.js'

const keepers = [formKeeper(sealer)]
const field = (name: string, more: object = {}) => ({ key: name, name: { zh_cn: name }, is_required: true, ...more })

let ground: CliGround
beforeEach(async () => {
  ground = await layCliGround()
})

/** What the command does with a file, without a process of its own. */
async function fields(
  verb: 'plan' | 'apply',
  content: unknown,
  ...flags: Array<'agree' | 'json' | 'other app' | { typed: string }>
) {
  const file = join(ground.folder, 'form.json')
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
  const said = { out: '', err: '' }
  const io = { out: (text: string) => (said.out += text), err: (text: string) => (said.err += text) }
  const options = {
    verb,
    tenantKey: 'tk_a',
    app: flags.includes('other app') ? 'cli_other' : undefined,
    allowIrreversible: flags.includes('agree'),
    json: flags.includes('json'),
  }
  try {
    const form = await readFormFile(file)
    const typed = flags.flatMap((flag) => (typeof flag === 'object' ? [flag.typed] : []))[0]
    const ask = typed === undefined ? null : async () => typed
    const code = await runAccountFields(
      { database: ground.database, sealer, config: readConfig(ground.env) },
      form,
      options,
      io,
      ask,
    )
    return { code, ...said }
  } catch (failure) {
    return { code: 1, ...said, err: failure instanceof Error ? failure.message : '' }
  }
}

const outbox = () => ({ database: ground.database, sealer, keepers })
const settled = () => settleAll(outbox(), delivered)
const refused = () => settleAll(outbox(), dead)

const rows = (text: string) => ground.rows(text)
const waiting = async () =>
  (await rows(`SELECT api FROM deliveries WHERE state = 'pending' ORDER BY seq`)).map((row) => row.api)
const stored = async () => (await rows('SELECT * FROM account_field_sets'))[0]

it('plans without a trace, and leaves to the service what is applied', async () => {
  const form = { custom_field_list: [field('org'), field('dept')] }
  expect(await fields('plan', form)).toEqual({
    code: 0,
    out: '1. account_custom_fields.create: the form becomes org, dept\n',
    err: '',
  })
  expect([await rows('SELECT 1 FROM deliveries'), await rows('SELECT 1 FROM account_field_sets')]).toEqual([[], []])
  const applied = await fields('apply', form)
  const [delivery] = await rows('SELECT * FROM deliveries')
  expect(applied).toMatchObject({ code: 0, out: expect.stringContaining(`as delivery ${delivery.id}\n`) })
  expect(delivery).toMatchObject({
    lane: laneOfAccountFields(complete.FEISHU_APP_ID, 'tk_a'),
    api: 'account_custom_fields.create',
    app_id: complete.FEISHU_APP_ID,
    tenant_key: 'tk_a',
    state: 'pending',
  })
  expect(await fields('apply', form)).toMatchObject({ code: 0, out: expect.stringMatching(/^nothing to do/) })
  await settled()
  expect(await stored()).toMatchObject({
    state: 'in_step',
    held: form.custom_field_list,
    wanted: form.custom_field_list,
  })
})

it('leaves an entry in the audit of each apply, and none of a plan', async () => {
  const entries = () => rows('SELECT via, action, subject, outcome, after FROM audit ORDER BY id')
  await fields('plan', { custom_field_list: [field('org')] })
  expect(await entries()).toEqual([])
  await fields('apply', { custom_field_list: [field('org'), field('dept')] })
  await settled()
  await fields('apply', { custom_field_list: [field('org')] })
  const subject = `account_fields:${complete.FEISHU_APP_ID}:tk_a`
  const entry = { via: 'cli', action: 'account_fields.apply', subject }
  expect(await entries()).toEqual([
    { ...entry, outcome: 'done', after: { calls: 1, delivery_ids: [expect.any(String)] } },
    { ...entry, outcome: 'refused', after: { calls: 1, delivery_ids: [] } },
  ])
})

it('takes fields away only with a word', async () => {
  await fields('apply', [field('org'), field('dept')])
  await settled()
  const refused = await fields('apply', [field('org')])
  expect(refused).toMatchObject({
    code: 1,
    out: '1. account_custom_fields.batch_delete: deletes dept for ever (cannot be undone)\n',
    err: expect.stringContaining('--allow-irreversible'),
  })
  expect(await waiting()).toEqual([])
  const agreed = await fields('apply', [field('org')], 'agree', 'json')
  expect(JSON.parse(agreed.out)).toEqual({
    plan: [{ api: 'account_custom_fields.batch_delete', summary: expect.any(String), irreversible: true }],
    delivery_ids: [expect.any(String)],
  })
  await settled()
  expect(await stored()).toMatchObject({ state: 'in_step', held: [field('org')], spent: ['dept'] })
  const again = await fields('apply', [field('org'), field('dept')])
  expect(again).toMatchObject({ code: 1, out: '', err: expect.stringContaining('such as dept_v2') })
})

it('asks a person at a terminal for the word', async () => {
  await fields('apply', [field('org'), field('dept')])
  await settled()
  const refused = await fields('apply', [field('org')], { typed: 'no' })
  expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('deletes dept for ever') })
  expect(await waiting()).toEqual([])
  expect(await fields('apply', [field('org')], { typed: 'yes' })).toMatchObject({ code: 0 })
  expect(await waiting()).toEqual(['account_custom_fields.batch_delete'])
})

it('says everything about a file that does not fit, and nothing of what it holds', async () => {
  const canary = { key: 'canary'.repeat(20), name: {}, is_required: 'canary', type: 'canary' }
  const { code, err } = await fields('plan', { custom_field_list: [canary, field('org'), field('org')] })
  expect(code).toBe(1)
  for (const path of ['0.key', '0.name', '0.is_required', '0.type', '2.key']) {
    expect(err).toContain(`  custom_field_list.${path}: expected`)
  }
  expect(err).not.toContain('canary')
  for (const [content, complaint] of [
    ['{"canary"', 'position 9'],
    ['{"canary":', 'end of JSON'],
    ['canary', 'token'],
  ]) {
    const unread = await fields('plan', content)
    expect(unread).toMatchObject({ code: 1, err: expect.stringContaining(`expected JSON (`) })
    expect(unread.err).toMatch(new RegExp(`${complaint}[^)]*\\)$`))
    expect(unread.err).not.toContain('canary')
  }
  expect(await fields('plan', [field('org')], 'other app')).toMatchObject({
    code: 1,
    err: `--app: expected one of the apps of this service: ${complete.FEISHU_APP_ID} (none of them was named)`,
  })
})

it('a call that died is planned anew, by a retry or by the next apply', async () => {
  await fields('apply', [field('org'), field('dept')])
  await settleAll(outbox(), { to: 'dead', class: 'unconfirmed' })
  expect(await stored()).toMatchObject({ state: 'failed', failure: { class: 'unconfirmed' }, held: [] })
  const [dead] = await rows(`SELECT id FROM deliveries WHERE state = 'dead'`)
  const revived = await ground.database.transaction((sql) => reviveDelivery(sql, sealer, keepers, dead.id))
  expect(revived).toMatchObject({ kind: 'revived' })
  expect(await waiting()).toEqual(['account_custom_fields.create'])
  await refused()
  await fields('apply', [field('org')], 'agree')
  expect(await waiting()).toEqual(['account_custom_fields.create'])
  await settled()
  expect(await stored()).toMatchObject({ state: 'in_step', held: [field('org')], spent: ['dept'], failure: null })
})

it('is a command that wants to know the tenant', async () => {
  expect(await run(['account-fields', 'plan', 'form.json'], ground.env)).toMatchObject({
    code: 64,
    err: expect.stringContaining('--tenant'),
  })
})
