import { writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { renderList, renderWhole } from '../../src/cli/operator/render.js'
import { verbs } from '../../src/cli/operator/verbs.js'
import { runCli } from '../../src/cli/program.js'
import { receiveOrder } from '../../src/flow/orders/receive.js'
import { routes } from '../../src/operate/api/routes.js'
import { orderToPlace } from '../support/order-to-place.js'
import { type CliGround, layCliGround, sealer } from './ground.js'
import { complete, run } from './support.js'

const origin = { appId: complete.FEISHU_APP_ID, tenantKey: 'tk_a' }

async function addOrder({ database }: CliGround, id: string): Promise<void> {
  await database.transaction((sql) =>
    receiveOrder(sql, sealer, origin, orderToPlace(id, { candidate: { name: '林canary' } })),
  )
}

describe('a command of the operator', () => {
  let ground: CliGround
  const bgc = (...args: string[]) => run(args, ground.env)

  beforeEach(async () => {
    ground = await layCliGround()
  })

  it('lists as a table for people, and as /v1 has it for programs', async () => {
    for (const id of ['7401', '7402', '7403']) await addOrder(ground, id)
    const table = await bgc('orders', 'ls', '--limit', '2')
    expect(table.code).toBe(0)
    const lines = table.out.split('\n')
    expect(lines[0]).toMatch(/^BACKGROUND_CHECK_ID +STATE +ATTENTION/)
    expect(lines[1]).toMatch(/^7403 +received +– +– +tk_a /)
    const cursor = /--cursor (\S+)/.exec(table.out)?.[1] ?? ''
    const rest = await bgc('orders', 'ls', '--limit', '2', '--cursor', cursor, '--json')
    const page = JSON.parse(rest.out)
    expect(page.items.map((item: { background_check_id: string }) => item.background_check_id)).toEqual(['7401'])
    expect(page.next_cursor).toBeNull()
  })

  it('that reads makes no key one that the service cannot start without', async () => {
    const ahead = {
      ...ground.env,
      BGC_ENCRYPTION_KEYS: `k2:${Buffer.alloc(32, 8).toString('base64')},${ground.env['BGC_ENCRYPTION_KEYS']}`,
    }
    for (const args of [
      ['orders', 'ls'],
      ['erase', '--list'],
    ])
      expect((await run(args, ahead)).code).toBe(0)
    expect(await ground.rows('SELECT key_id FROM encryption_keys')).toEqual([])
    expect((await run(['accounts', 'bind', '1'], ahead)).code).toBe(1)
    expect(await ground.rows('SELECT key_id FROM encryption_keys')).toEqual([{ key_id: 'k2' }])
  })

  it('shows one order without what is personal', async () => {
    await addOrder(ground, '7404')
    const shown = await bgc('orders', 'show', '7404')
    expect(shown.code).toBe(0)
    expect(shown.out).toContain('background_check_id: 7404')
    expect(shown.out).toContain('kind: received')
    expect(shown.out).not.toContain('canary')
  })

  it('does what /v1 does, with an entry in the audit that names the user', async () => {
    await addOrder(ground, '7405')
    await ground.rows(
      `UPDATE orders SET state = 'failed', failure = '{"class":"vendor","message":"m","action":"a"}' WHERE background_check_id = '7405'`,
    )
    await ground.rows(`DELETE FROM vendor_tasks`)
    const done = await bgc('orders', 'retry', '7405')
    expect([done.code, done.out]).toEqual([0, '7405 will be placed again\n'])
    expect(await ground.rows('SELECT action FROM vendor_tasks')).toEqual([{ action: 'place' }])
    expect(await ground.rows('SELECT actor, via, action, subject, outcome FROM audit')).toEqual([
      { actor: userInfo().username, via: 'cli', action: 'orders.retry', subject: 'order:7405', outcome: 'done' },
    ])
  })

  it('says why something was refused, on stderr, and ends with 1', async () => {
    await addOrder(ground, '7406')
    const refused = await bgc('orders', 'retry', '7406')
    expect([refused.code, refused.out]).toEqual([1, ''])
    expect(refused.err).toContain('order-not-failed: only an order that failed can be placed again')
    const json = await bgc('orders', 'retry', '7406', '--json')
    expect([json.code, JSON.parse(json.out).type]).toEqual([1, '/docs/problems#order-not-failed'])
    const filter = await bgc('orders', 'ls', '--state', 'lost')
    expect([filter.code, filter.err]).toEqual([1, expect.stringMatching(/state: expected one of/)])
    expect((await bgc('orders', 'show', '999')).err).toContain('not-found: nothing has this id')
  })

  it('plans a catalog from a file without sending anything, and applies it', async () => {
    await ground.rows(
      `INSERT INTO accounts (account_id, app_id, tenant_key, name, usage_list, state, customer_id) VALUES ('6901', '${origin.appId}', 'tk_a', 'x', '{1}', 'confirmed', 'C')`,
    )
    const file = join(ground.folder, 'catalog.json')
    const catalog = { packages: [{ id: 'p1', name: 'One' }], additional_items: [], custom_fields: [] }
    await writeFile(file, JSON.stringify(catalog))
    const planned = await bgc('catalog', 'plan', '6901', file)
    expect([planned.code, planned.out]).toEqual([0, expect.stringContaining('api: packages.create')])
    expect(await ground.rows('SELECT api FROM deliveries')).toEqual([])
    const applied = await bgc('catalog', 'apply', '6901', file, '--json')
    expect([applied.code, JSON.parse(applied.out).delivery_ids]).toEqual([0, ['1']])
    expect(await ground.rows('SELECT api FROM deliveries')).toEqual([{ api: 'packages.create' }])
    await writeFile(file, 'no json')
    expect((await bgc('catalog', 'plan', '6901', file)).err).toContain('expected JSON')
  })

  it('names the dead that it would send again, before it does', async () => {
    const dry = await bgc('deliveries', 'retry-many', '--class', 'feishu', '--dry-run', '--json')
    expect([dry.code, JSON.parse(dry.out)]).toEqual([0, { dry_run: true, matched: 0, delivery_ids: [], refused: [] }])
  })
})

describe('the table of commands', () => {
  it('names operations that there are, and every write of them but those that have commands of their own', () => {
    const used = new Set(verbs.map((verb) => verb.operation))
    const known = new Set(routes.map((route) => route.id))
    expect([...used].filter((id) => !known.has(id))).toEqual([])
    const without = routes.filter(({ id, method }) => method !== 'GET' && !used.has(id)).map(({ id }) => id)
    expect(without.toSorted()).toEqual([
      'accounts.put',
      'accounts.relabel_fields',
      'agreements.change',
      'agreements.create',
      'agreements.delete',
      'orders.erase',
      'orders.search',
      'vendor_orders.changed',
    ])
  })

  it('refuses what it does not know, as wrong usage', async () => {
    const said: string[] = []
    const io = { out: () => undefined, err: (text: string) => void said.push(text) }
    expect(await runCli(['orders', 'lose', '1'], io)).toBe(64)
    expect(await runCli(['orders', 'show'], io)).toBe(64)
    expect(await runCli(['holds', 'ls', '--state', 'lost'], io)).toBe(64)
    expect(said.join('')).toContain('Allowed choices are open, released')
  })
})

describe('what a terminal shows', () => {
  it('cannot be moved by texts from elsewhere', () => {
    expect(renderList(['a'], [{ a: 'x\u001b[2J\ny' }])).toBe('A\nx�[2J�y\n')
    expect(renderWhole({ a: 'x\u001b]0;t\u0007' })).toBe('a: x�]0;t�\n')
  })

  it('stands in columns, wide characters too', () => {
    expect(
      renderList(
        ['n', 'm'],
        [
          { n: '示例', m: 1 },
          { n: 'ab', m: null },
        ],
      ),
    ).toBe('N     M\n示例  1\nab    –\n')
  })

  it('says that there is nothing', () => {
    expect(renderList(['a'], [])).toBe('none\n')
  })
})
